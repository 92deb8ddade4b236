"""The model that serves today, on the held-out rows of its challenger.

The comparison is fair only where the champion has not seen these rows: after another split it is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.bundle import MODEL, Bundle
from features.encoder import Encoder
from features.schema import Schema
from training.evaluation.reference import Drift
from training.evaluation.score import scoring
from training.kernels.kernel import Kernel
from training.metrics.evaluate import Evaluation, evaluate_counts
from training.parameters import TrainingParameters
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The champion beside a candidate: `evaluation` on the same held-out rows, or in words why there is none."""

    name: str
    bundle_hash: str
    evaluation: Evaluation | None
    not_comparable: str | None = None
    drift: Drift | None = None
    """How far the held-out rows have moved from the champion's reference."""

    def scalars(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        measured = self.evaluation.scalars() if self.evaluation else {}
        drift = None if self.drift is None else self.drift.scalars()
        return {"bundle_hash": self.bundle_hash, "not_comparable": self.not_comparable, "drift": drift} | measured


def evaluate_champion(
    held_out: Scannable,
    bundle: Bundle,
    schema: Schema,
    parameters: TrainingParameters,
    *,
    name: str | None = None,
    drift: Drift | None = None,
) -> Champion:
    """Score and evaluate the champion on `held_out`, prepared rows of `schema` that were split off by `parameters`.

    `name` says which one it is ("version 3"), by default the start of its hash.
    """
    called = name or f"bundle {bundle.hash[:8]}"
    lacking = bundle.schema.lacking(schema)
    reason = _other_columns(lacking) or _seen(bundle.metadata.hyperparameters, parameters)
    if reason is not None:
        return Champion(name=called, bundle_hash=bundle.hash, evaluation=None, not_comparable=reason, drift=drift)
    evaluation = evaluate_counts(held_out.scan(scoring_with(bundle, schema)))
    return Champion(name=called, bundle_hash=bundle.hash, evaluation=evaluation, drift=drift)


def scoring_with(bundle: Bundle, schema: Schema) -> Kernel:
    """The `ScoreCounts` of prepared rows of `schema` by the bundle's own encoder and model, which is number 0.

    `schema` lacks no column of the bundle's, and may have more.
    """
    model = (bundle.path / MODEL).read_text(encoding="utf-8")
    return scoring(schema, _in_memory(bundle.encoder), model=model, own=bundle.schema)


def _in_memory(encoder: Encoder) -> Encoder:
    """The encoder without its memory-mapped files, which lie on the driver alone."""
    return replace(
        encoder,
        hashes=np.array(encoder.hashes),
        rates=np.array(encoder.rates),
        log_counts=np.array(encoder.log_counts),
    )


def _other_columns(lacking: Sequence[str]) -> str | None:
    if not lacking:
        return None
    return f"it needs columns that this dataset does not have as such ({', '.join(lacking[:5])})"


def _seen(champion: Mapping[str, Any], candidate: TrainingParameters) -> str | None:
    """Why the champion may have trained on rows that are held out now, or None when it cannot have.

    A row's side depends on its content, the seed and the share alone, so a champion that trained on a smaller share
    of the same split has seen none of them.
    """
    same_split = champion.get("split") == candidate.split and champion.get("seed") == candidate.seed
    if same_split and champion.get("train_fraction", 1.0) <= candidate.train_fraction:
        return None
    theirs, ours = _split(champion), _split(candidate.model_dump(mode="json"))
    return f"it was trained on another split ({theirs} instead of {ours}), so it has seen some of these rows"


def _split(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {parameters.get(name)}" for name in ("split", "seed", "train_fraction"))
