"""An earlier version of the model, on the held-out rows of a candidate.

The comparison is fair only if that version has not trained on these rows: after another split it is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.bundle import Bundle
from features.schema import Schema
from training.evaluation.reference import Drift
from training.evaluation.score import scoring
from training.kernels.kernel import Kernel
from training.metrics.evaluate import Evaluation, evaluate_counts
from training.parameters import TrainingParameters
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class EarlierVersion:
    """An earlier version of the model: its `evaluation` on the same held-out rows, or the reason why there is none."""

    version: int | None = None
    """Its number in the registry, if known."""
    bundle_hash: str
    evaluation: Evaluation | None
    not_comparable: str | None = None
    drift: Drift | None = None
    """The held-out rows' drift from its baseline sample."""

    @property
    def name(self) -> str:
        """Its name in sentences."""
        return f"bundle {self.bundle_hash[:8]}" if self.version is None else f"version {self.version}"

    def scalars(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        measured = self.evaluation.scalars() if self.evaluation else {}
        return {
            "version": self.version,
            "bundle_hash": self.bundle_hash,
            "not_comparable": self.not_comparable,
            "drift": None if self.drift is None else self.drift.scalars(),
        } | measured


def evaluate_earlier(
    held_out: Scannable,
    bundle: Bundle,
    schema: Schema,
    parameters: TrainingParameters,
    *,
    version: int | None = None,
    drift: Drift | None = None,
) -> EarlierVersion:
    """Score and evaluate a bundle on `held_out`, prepared rows of `schema` that were split off by `parameters`."""
    lacking = bundle.schema.lacking(schema)
    reason = _only_recommends(bundle) or _other_columns(lacking) or _seen(bundle.metadata.hyperparameters, parameters)
    return EarlierVersion(
        version=version,
        bundle_hash=bundle.hash,
        evaluation=None if reason else evaluate_counts(held_out.scan(scoring_with(bundle, schema))),
        not_comparable=reason,
        drift=drift,
    )


def scoring_with(bundle: Bundle, schema: Schema) -> Kernel:
    """The `ScoreCounts` of prepared rows of `schema` by the bundle's own encoder and model, which is number 0.

    `schema` lacks no column of the bundle's, and may have more.
    """
    clicks = bundle.click_model
    model = clicks.trees.read_text(encoding="utf-8")
    return scoring(schema, clicks.encoder, model=model, own=bundle.schema)


def _only_recommends(bundle: Bundle) -> str | None:
    return "it has no click model, as it was trained on positives alone" if bundle.clicks is None else None


def _other_columns(lacking: Sequence[str]) -> str | None:
    if not lacking:
        return None
    return f"it needs columns that this dataset does not have as such ({', '.join(lacking[:5])})"


def _seen(earlier: Mapping[str, Any], candidate: TrainingParameters) -> str | None:
    """Why the version may have trained on rows that are held out now, or None when it cannot have."""
    if candidate.hold_out_what_was_held_out(earlier):
        return None
    theirs, ours = _split(earlier), _split(candidate.model_dump(mode="json"))
    return f"it was trained on another split ({theirs} instead of {ours}), so it has seen some of these rows"


def _split(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {parameters.get(name)}" for name in ("split", "seed", "train_fraction"))
