"""The gate: decides whether a candidate may serve, with a reason for every check."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from features.bundle import Verdict
from training.evaluation.baselines import NAMES
from training.evaluation.earlier import EarlierVersion
from training.evaluation.reference import Drift
from training.metrics.evaluate import Evaluation
from training.parameters import GateParameters

STANDARD_ERRORS = 2
"""A rise of the log loss against an earlier version counts from this many standard errors of the paired difference on:
a model as good as that version is rejected by chance in one of 44 runs at most."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the gate and its outcome in a sentence; it is not `made` if there was nothing to compare with."""

    passed: bool
    reason: str
    made: bool = True


def judge(
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation],
    champion: EarlierVersion | None,
    gate: GateParameters,
    *,
    best: EarlierVersion | None = None,
) -> Verdict:
    """The verdict on a candidate: accepted if every check passes. Failed checks come first among the reasons.

    `best` is the best version kept, unless that is the champion. Without it, small losses against the last champion
    would add up over runs.
    """
    made = checks(evaluation, baselines, champion, gate, best=best)
    return Verdict(accepted=all(check.passed for check in made), reasons=tuple(check.reason for check in made))


def checks(
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation],
    champion: EarlierVersion | None,
    gate: GateParameters,
    *,
    best: EarlierVersion | None = None,
) -> tuple[Check, ...]:
    """All checks, failed ones first."""
    return tuple(sorted(_checks(evaluation, baselines, champion, gate, best), key=lambda check: check.passed))


def _checks(
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation],
    champion: EarlierVersion | None,
    gate: GateParameters,
    best: EarlierVersion | None,
) -> Iterator[Check]:
    yield _auc(evaluation, gate)
    yield _calibration(evaluation, gate)
    for name, baseline in baselines.items():
        yield _baseline(evaluation, name, baseline, gate)
    if champion is None:
        yield Check(passed=True, made=False, reason="There is no champion yet to compare with.")
    for called, earlier in (("champion", champion), ("best version kept", best)):
        if earlier is not None:
            yield _earlier(called, earlier, gate)
    if champion is not None and champion.drift is not None:
        yield _drift(champion.drift, gate.max_drift)


def _auc(evaluation: Evaluation, gate: GateParameters) -> Check:
    passed = evaluation.auc >= gate.min_auc
    verb = "is at least" if passed else "is below"
    return Check(passed=passed, reason=f"AUC {evaluation.auc:.4f} {verb} {gate.min_auc:.4f}.")


def _calibration(evaluation: Evaluation, gate: GateParameters) -> Check:
    passed = evaluation.calibration_error <= gate.max_calibration_error
    verb = "is at most" if passed else "is above"
    return Check(
        passed=passed,
        reason=f"Calibration error {evaluation.calibration_error:.4f} {verb} {gate.max_calibration_error:.4f} "
        f"(chance alone gives about {evaluation.calibration_noise:.4f} on {evaluation.rows:,} rows).",
    )


def _baseline(evaluation: Evaluation, name: str, baseline: Evaluation, gate: GateParameters) -> Check:
    gain = baseline.log_loss - evaluation.log_loss
    passed = gain > gate.min_log_loss_gain
    needed = f"lower by more than {gate.min_log_loss_gain:.4f}" if gate.min_log_loss_gain else "lower"
    return Check(
        passed=passed,
        reason=f"Log loss {evaluation.log_loss:.4f} is {_difference(gain)} than that of the baseline "
        f"{NAMES.get(name, name)} ({baseline.log_loss:.4f}){'' if passed else f', but must be {needed}'}.",
    )


def _earlier(called: str, earlier: EarlierVersion, gate: GateParameters) -> Check:
    compared = earlier.compared
    if compared is None:
        reason = f"The {called} ({earlier.name}) is not compared, because {earlier.not_comparable}."
        return Check(passed=True, made=False, reason=reason)
    rise, chance = -compared.gain, STANDARD_ERRORS * compared.standard_error
    within, by_chance = rise <= gate.max_log_loss_rise, rise <= chance
    limit = f", {'within' if within else 'more than'} the allowed rise of {gate.max_log_loss_rise:.4f}"
    if not within:
        limit += f", {'but within' if by_chance else 'and than'} two standard errors ({chance:.4f})"
    since = f" from {compared.since} on" if compared.since else ""
    return Check(
        passed=within or by_chance,
        reason=f"Log loss {compared.ours.log_loss:.4f} is {_difference(compared.gain)} than that of the {called} "
        f"({earlier.name}, {compared.earlier.log_loss:.4f}) on the same {compared.ours.rows:,} held-out rows{since}"
        f"{limit if rise > 0 else ''}.",
    )


def _drift(drift: Drift, limit: float) -> Check:
    """Whether the drift from the champion's baseline sample is at most `limit`; 0 is no limit."""
    worst = drift.worst
    passed = limit == 0 or worst.index <= limit
    verb = "has no limit" if limit == 0 else f"is {'at most' if passed else 'above'} {limit:.4f}"
    return Check(
        passed=passed,
        reason=f"Drift of {worst.index:.4f} in {'the ' if worst is drift.prediction else 'the column '}{worst.name} "
        f"from what the champion was trained on {verb} (chance alone gives about {drift.chance:.4f} on {drift.rows:,} "
        "rows).",
    )


def _difference(gain: float) -> str:
    return f"{abs(gain):.4f} {'lower' if gain >= 0 else 'higher'}"
