"""Whether a candidate may serve. The verdict says for every check what was compared, and by how much."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from features.bundle import Verdict
from training.baselines import NAMES
from training.champion import Champion
from training.evaluate import Evaluation
from training.parameters import GateParameters
from training.reference import Drift


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison of the gate and its outcome in a sentence."""

    passed: bool
    reason: str


def judge(
    evaluation: Evaluation, baselines: Mapping[str, Evaluation], champion: Champion | None, gate: GateParameters
) -> Verdict:
    """The verdict on a candidate: accepted when every check passes. Failed checks come first among the reasons."""
    made = checks(evaluation, baselines, champion, gate)
    return Verdict(accepted=all(check.passed for check in made), reasons=tuple(check.reason for check in made))


def checks(
    evaluation: Evaluation, baselines: Mapping[str, Evaluation], champion: Champion | None, gate: GateParameters
) -> tuple[Check, ...]:
    """Every comparison, the failed ones first."""
    return tuple(sorted(_checks(evaluation, baselines, champion, gate), key=lambda check: check.passed))


def _checks(
    evaluation: Evaluation, baselines: Mapping[str, Evaluation], champion: Champion | None, gate: GateParameters
) -> Iterator[Check]:
    yield _auc(evaluation, gate)
    yield _calibration(evaluation, gate)
    for name, baseline in baselines.items():
        yield _baseline(evaluation, name, baseline, gate)
    yield _champion(evaluation, champion, gate)
    if champion is not None and champion.drift is not None:
        yield drift_check(champion.drift, gate.max_drift, of="the champion")


def _auc(evaluation: Evaluation, gate: GateParameters) -> Check:
    passed = evaluation.auc >= gate.min_auc
    verb = "has no limit" if limit == 0 else f"is {'at most' if passed else 'above'} {limit:.4f}"
    return Check(
        passed=passed,
        reason=f"Drift of {worst.index:.4f} in {'the ' if worst is drift.prediction else 'the column '}{worst.name} "
        f"from what {of} was trained on {verb} (chance alone gives about {drift.chance:.4f} on {drift.rows:,} rows).",
    )


def _difference(gain: float) -> str:
    return f"{abs(gain):.4f} {'lower' if gain >= 0 else 'higher'}"
