"""Evaluates a model and logistic regression on the held-out rows, overall and by segment, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass

from features.encoder import Encoder
from features.schema import Schema
from training.evaluation.baselines import Logistic
from training.evaluation.score import scoring
from training.metrics import slices
from training.metrics.evaluate import Evaluation, evaluate_bins, score_bins
from training.metrics.known import keys_among, measure_keys
from training.metrics.score_counts import SLICES
from training.metrics.slices import Slice
from training.model.fitted import Fitted
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The evaluations; `logistic` is None if there is no logistic regression."""

    evaluation: Evaluation
    logistic: Evaluation | None
    slices: tuple[Slice, ...]
    keys: tuple[Slice, ...]
    """The rows of known and of new users and items."""


def measure(
    held_out: Scannable,
    schema: Schema,
    encoder: Encoder,
    fitted: Fitted,
    logistic: Logistic | None,
    *,
    keys: Sequence[str] = (),
) -> Measured:
    """Score and evaluate the prepared rows `held_out`; `keys` are the columns of users and items.

    Raises `EvaluationError` if nothing can be measured.
    """
    sliced = slices.choose(encoder, schema, fitted.importance)
    others = [] if logistic is None else [logistic.probability]
    known = keys_among(schema, keys)
    kernel = scoring(schema, encoder, model=fitted.text, others=others, sliced=sliced, keys=known)
    bins = score_bins(held_out.scan(kernel))
    names = slices.value_names(held_out, schema, sliced)
    evaluations = [evaluate_bins(bins[of]) for of in sorted(bins) if of < SLICES]
    return Measured(
        evaluation=evaluations[0],
        logistic=evaluations[1] if others else None,
        slices=slices.measure(bins, sliced, names=schema.categories, values=names),
        keys=measure_keys(bins, known, names=schema.categories, start=SLICES + sum(column.size for column in sliced)),
    )
