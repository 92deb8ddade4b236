"""The gate: decides whether a candidate may serve, with a reason for every check.

It compares a candidate with baselines, and with earlier versions on the candidate's held-out rows. That is fair only if
the version has not trained on these rows, so after another split it is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.bundle import Bundle, BundledClicks, HeldOut, Verdict
from features.schema import Schema
from features.values import shown_time
from training.evaluation.baselines import NAMES
from training.evaluation.measure import Scored, score
from training.evaluation.metrics import DECIMALS, Evaluation, evaluate, losses
from training.evaluation.reachable import BestReachable
from training.evaluation.segments import Slice
from training.parameters import GateParameters, Split, TrainingParameters
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two versions on the same rows: the `earlier` one and `ours`, and the standard error of the mean difference of
    their log losses.
    """

    earlier: Evaluation
    ours: Evaluation
    standard_error: float

    @property
    def gain(self) -> float:
        """By how much the candidate's log loss is lower."""
        return self.earlier.log_loss - self.ours.log_loss


@dataclass(frozen=True, kw_only=True)
class EarlierVersion:
    """An earlier version of the model: what it reaches beside the candidate, or the reason why it is not compared."""

    version: int | None = None
    """Its number in the registry, if known."""
    bundle_hash: str
    compared: Compared | None
    not_comparable: str | None = None

    @property
    def name(self) -> str:
        """Its name in sentences."""
        return f"bundle {self.bundle_hash[:8]}" if self.version is None else f"version {self.version}"

    @property
    def evaluation(self) -> Evaluation | None:
        """What it reaches, if it is compared."""
        return self.compared.earlier if self.compared else None

    def scalars(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        measured: dict[str, Any] = {}
        if self.compared:
            measured = self.compared.earlier.scalars() | {
                "log_loss_of_candidate": self.compared.ours.log_loss,
                "standard_error": self.compared.standard_error,
            }
        return {
            "version": self.version,
            "bundle_hash": self.bundle_hash,
            "not_comparable": self.not_comparable,
        } | measured


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A candidate with the parameters that it was trained with, and which rows were held out."""

    scored: Scored
    parameters: TrainingParameters
    held_out: HeldOut

    def beside(self, rows: Scannable, bundle: Bundle, *, version: int | None = None) -> EarlierVersion:
        """Score and evaluate a bundle and the candidate on `rows`, the candidate's prepared held-out rows."""
        schema = self.scored.schema
        reason, compared = self._seen_by(bundle), None
        if lacking := bundle.schema.lacking(schema):
            reason = f"it needs columns that this dataset does not have as such ({', '.join(lacking[:5])})"
        if bundle.clicks is None:
            reason = "it has no click model, as it was trained only on positives"
        if reason is None:
            compared = self._compared(rows, bundle.schema, bundle.click_model)
        return EarlierVersion(version=version, bundle_hash=bundle.hash, compared=compared, not_comparable=reason)

    def _compared(self, rows: Scannable, schema: Schema, clicks: BundledClicks) -> Compared:
        earlier = Scored(schema=schema, encoder=clicks.encoder, text=clicks.trees.read_text(encoding="utf-8"))
        found = score(rows, self.scored.schema, earlier, self.scored)
        evaluations = [evaluate(found.clicked, probability) for probability in found.probabilities]
        theirs, ours = (losses(found.clicked, probability) for probability in found.probabilities)
        return Compared(earlier=evaluations[0], ours=evaluations[1], standard_error=standard_error(theirs - ours))

    def _seen_by(self, bundle: Bundle) -> str | None:
        """Why the version may have trained on rows that are held out now, or None when it cannot have."""
        hyperparameters, theirs = bundle.metadata.hyperparameters, bundle.metadata.held_out
        by_time = self.parameters.split is Split.TIME
        if not self.parameters.hold_out_what_was_held_out(hyperparameters):
            names, own = ("split", "seed", "train_fraction"), self.parameters.model_dump(mode="json")
            given = [", ".join(f"{name} {one.get(name)}" for name in names) for one in (hyperparameters, own)]
            return f"it was trained on another split ({' instead of '.join(given)}), so it has seen some of these rows"
        if theirs is None:
            return "its bundle does not say which columns decided the split, so it may have seen some of these rows"
        if by_time and theirs.timestamp != self.held_out.timestamp:
            return (
                f"its rows were split by the time in {theirs.timestamp} instead of {self.held_out.timestamp}, so it "
                "may have seen some of these rows"
            )
        if by_time and (theirs.since or 0) > (self.held_out.since or 0):
            return f"it was trained on rows until {shown_time(theirs.since or 0)}, so it has seen some of these rows"
        if not by_time and {*theirs.fields} != {*self.held_out.fields}:
            differing = sorted({*theirs.fields} ^ {*self.held_out.fields})
            return f"other columns decided its split ({', '.join(differing[:5])}), so it has seen some of these rows"
        return None


def standard_error(differences: npt.NDArray[np.float64]) -> float:
    """The standard error of the mean of the rows' `differences`, float64[n]."""
    if len(differences) == 1:
        return float("inf")
    return round(float(differences.std(ddof=1) / np.sqrt(len(differences))), DECIMALS)


STANDARD_ERRORS = 2
"""A rise of the log loss against an earlier version counts from this many standard errors of the paired difference on:
a model as good as that version is rejected by chance in one of 44 runs at most."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A model and everything that it is compared with, on the same held-out rows, and the verdict on it."""

    evaluation: Evaluation
    baselines: Mapping[str, Evaluation]
    champion: EarlierVersion | None
    best: EarlierVersion | None
    """The best version kept, unless it is the champion."""
    best_reachable: BestReachable | None
    slices: Sequence[Slice]
    keys: Sequence[Slice]
    """The rows of known and of new users and items; none if their keys are no features."""
    warnings: Sequence[str]
    """Sentences about the data, for its owner."""
    verdict: Verdict


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
    made = sorted(checks(evaluation, baselines, champion, gate, best=best), key=lambda check: check.passed)
    return Verdict(accepted=all(check.passed for check in made), reasons=tuple(check.reason for check in made))


def checks(
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation],
    champion: EarlierVersion | None,
    gate: GateParameters,
    *,
    best: EarlierVersion | None = None,
) -> Iterator[Check]:
    """All checks of a candidate."""
    enough = evaluation.auc >= gate.min_auc
    verb = "is at least" if enough else "is below"
    yield Check(passed=enough, reason=f"AUC {evaluation.auc:.4f} {verb} {gate.min_auc:.4f}.")
    right = evaluation.calibration_error <= gate.max_calibration_error
    verb = "is at most" if right else "is above"
    yield Check(
        passed=right,
        reason=f"Calibration error {evaluation.calibration_error:.4f} {verb} {gate.max_calibration_error:.4f} "
        f"(chance by itself gives about {evaluation.calibration_noise:.4f} on {evaluation.rows:,} rows).",
    )
    for name, baseline in baselines.items():
        yield _baseline(evaluation, name, baseline, gate)
    if champion is None:
        yield Check(passed=True, made=False, reason="There is no champion yet to compare with.")
    for called, earlier in (("champion", champion), ("best version kept", best)):
        if earlier is not None:
            yield _earlier(called, earlier, gate)


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
    return Check(
        passed=within or by_chance,
        reason=f"Log loss {compared.ours.log_loss:.4f} is {_difference(compared.gain)} than that of the {called} "
        f"({earlier.name}, {compared.earlier.log_loss:.4f}) on the same {compared.ours.rows:,} held-out rows"
        f"{limit if rise > 0 else ''}.",
    )


def _difference(gain: float) -> str:
    return f"{abs(gain):.4f} {'lower' if gain >= 0 else 'higher'}"
