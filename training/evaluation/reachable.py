"""The metrics of the true click probabilities of generated rows: the best that any model can reach."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from features.schema import Schema
from training.datasets.generated.synthetic import true_probability
from training.kernels.columns import LABEL, NUMBERS, RAW, matrix
from training.kernels.kernel import Kernel
from training.metrics.evaluate import evaluate_counts
from training.metrics.score_counts import BY, COLUMNS, MERGED, ScoreCounts
from training.parameters import Dataset, SyntheticDataset
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class BestReachable:
    """The metrics of the true click probabilities on the held-out rows; known for synthetic data only."""

    auc: float
    log_loss: float


def best_reachable(held_out: Scannable, dataset: Dataset, schema: Schema) -> BestReachable | None:
    """The best reachable AUC and log loss on these prepared rows; None unless they are synthetic."""
    if not isinstance(dataset, SyntheticDataset):
        return None
    evaluation = evaluate_counts(held_out.scan(truth(schema)))
    return BestReachable(auc=evaluation.auc, log_loss=evaluation.log_loss)


def truth(schema: Schema) -> Kernel:
    """The `ScoreCounts` of generated rows by their true click probabilities."""
    return Kernel(
        columns=(LABEL, NUMBERS, RAW),
        schema=COLUMNS,
        function=partial(_score, schema=schema),
        by=BY,
        merged=MERGED,
    )


def _score(batches: Iterable[pa.RecordBatch], *, schema: Schema) -> Iterator[pa.RecordBatch]:
    counts = ScoreCounts()
    for batch in batches:
        label, numbers, raw = batch.columns
        columns = [*matrix(numbers, len(schema.numeric)).T, *matrix(raw, len(schema.categorical)).T]
        probability = true_probability(dict(zip(schema.features, columns, strict=True)))
        counts.add(label.to_numpy() == 1, probability)
    yield counts.batch()
