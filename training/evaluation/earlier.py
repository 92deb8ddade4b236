"""An earlier version of the model, beside a candidate on the candidate's held-out rows.

The comparison is fair only if that version has not trained on these rows: after another split it is left out, and after
a split by time that held out only later rows, both are measured on those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from features.bundle import Bundle, HeldOut
from features.values import shown_time
from training.evaluation.reference import Drift
from training.evaluation.score import Scored, scoring_paired
from training.metrics.evaluate import Evaluation, EvaluationError, evaluate_bins, score_bins
from training.metrics.score_counts import FIXED_POINT, SQUARES
from training.parameters import Split, TrainingParameters
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two versions on the same rows: the `earlier` one and `ours`, and the standard error of the mean difference of
    their log losses. `since` is when these rows begin, if not all held-out rows are among them.
    """

    earlier: Evaluation
    ours: Evaluation
    standard_error: float
    since: str | None = None

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
    drift: Drift | None = None
    """The held-out rows' drift from its baseline sample."""

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
                "since": self.compared.since,
            }
        return {
            "version": self.version,
            "bundle_hash": self.bundle_hash,
            "not_comparable": self.not_comparable,
            "drift": None if self.drift is None else self.drift.scalars(),
        } | measured


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A candidate with the parameters that it was trained with, and which rows were held out."""

    scored: Scored
    parameters: TrainingParameters
    held_out: HeldOut

    def beside(
        self, rows: Scannable, bundle: Bundle, *, version: int | None = None, drift: Drift | None = None
    ) -> EarlierVersion:
        """Score and evaluate a bundle and the candidate on `rows`, the candidate's prepared held-out rows."""
        schema = self.scored.schema
        reason = _only_recommends(bundle) or _other_columns(bundle.schema.lacking(schema)) or self._seen_by(bundle)
        compared = None
        if reason is None:
            try:
                compared = self._compared(rows, bundle)
            except EvaluationError as error:
                reason = f"on the rows that it has not seen, {str(error)[0].lower()}{str(error)[1:].rstrip('.')}"
        return EarlierVersion(
            version=version, bundle_hash=bundle.hash, compared=compared, not_comparable=reason, drift=drift
        )

    def _compared(self, rows: Scannable, bundle: Bundle) -> Compared:
        clicks, since = bundle.click_model, self._later_cut(bundle)
        text = clicks.trees.read_text(encoding="utf-8")
        earlier = Scored(schema=bundle.schema, encoder=clicks.encoder, text=text)
        counts = rows.scan(scoring_paired(self.scored.schema, earlier, self.scored, since=since))
        is_squares = pc.equal(counts.column("of"), SQUARES)
        bins = score_bins(counts.filter(pc.invert(is_squares)))
        if not bins:
            raise EvaluationError(f"there is none from {since and shown_time(since)} on")
        evaluations = [evaluate_bins(bins[number]) for number in (0, 1)]
        (total,) = counts.filter(is_squares).column("loss_sum").to_pylist()
        losses = [float(bins[number].loss_sum.sum()) for number in (0, 1)]
        return Compared(
            earlier=evaluations[0],
            ours=evaluations[1],
            standard_error=standard_error(losses[0] - losses[1], total / FIXED_POINT, rows=evaluations[0].rows),
            since=None if since is None else shown_time(since),
        )

    def _later_cut(self, bundle: Bundle) -> int | None:
        """From when the version held rows out, if that is later than from when the candidate does."""
        ours, theirs = self.held_out.since, bundle.metadata.held_out
        if ours is None or theirs is None or theirs.since is None or theirs.since <= ours:
            return None
        return theirs.since

    def _seen_by(self, bundle: Bundle) -> str | None:
        """Why the version may have trained on rows that are held out now, or None when it cannot have."""
        hyperparameters, theirs = bundle.metadata.hyperparameters, bundle.metadata.held_out
        by_time = self.parameters.split is Split.TIME
        if not self.parameters.hold_out_what_was_held_out(hyperparameters):
            given = [_split(one) for one in (hyperparameters, self.parameters.model_dump(mode="json"))]
            return f"it was trained on another split ({' instead of '.join(given)}), so it has seen some of these rows"
        if theirs is None:
            return "its bundle does not say which columns decided the split, so it may have seen some of these rows"
        if by_time and theirs.timestamp != self.held_out.timestamp:
            return (
                f"its rows were split by the time in {theirs.timestamp} instead of {self.held_out.timestamp}, so it "
                "may have seen some of these rows"
            )
        if not by_time and {*theirs.fields} != {*self.held_out.fields}:
            differing = sorted({*theirs.fields} ^ {*self.held_out.fields})
            return f"other columns decided its split ({', '.join(differing[:5])}), so it has seen some of these rows"
        return None


def standard_error(total: float, squares: float, *, rows: int) -> float:
    """The standard error of the mean of differences in `rows` rows, from their `total` and that of their `squares`."""
    if rows == 1:
        return float("inf")
    return float(np.sqrt(max(0.0, squares - total**2 / rows) / rows / (rows - 1)))


def _only_recommends(bundle: Bundle) -> str | None:
    return "it has no click model, as it was trained on positives alone" if bundle.clicks is None else None


def _other_columns(lacking: Sequence[str]) -> str | None:
    if not lacking:
        return None
    return f"it needs columns that this dataset does not have as such ({', '.join(lacking[:5])})"


def _split(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {parameters.get(name)}" for name in ("split", "seed", "train_fraction"))
