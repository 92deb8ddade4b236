"""What the true click probabilities of generated rows reach: the best that any model could."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame

from features.schema import Schema
from training.datasets.generated.synthetic import true_probability
from training.metrics.evaluate import evaluate_counts
from training.metrics.score_counts import COLUMNS, ScoreCounts
from training.parameters import Dataset, SyntheticDataset
from training.preparation.matrices import matrix
from training.preparation.prepare import NUMBERS, RAW
from training.spark.identifiers import numbered


@dataclass(frozen=True, kw_only=True)
class BestReachable:
    """What the true click probabilities themselves reach on the held-out rows; known for synthetic data only."""

    auc: float
    log_loss: float


def best_reachable(held_out: DataFrame, dataset: Dataset, schema: Schema) -> BestReachable | None:
    """The best AUC and log loss on these prepared rows; None unless they were generated."""
    if not isinstance(dataset, SyntheticDataset):
        return None
    widths = len(schema.numeric), len(schema.categorical)

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = ScoreCounts()
        for batch in batches:
            label, numbers, raw = batch.columns
            columns = [*matrix(numbers, widths[0]).T, *matrix(raw, widths[1]).T]
            probability = true_probability(dict(zip(schema.features, columns, strict=True)))
            counts.add(label.to_numpy() == 1, probability)
        yield counts.batch()

    counted = numbered(held_out, [schema.label, NUMBERS, RAW]).mapInArrow(score, COLUMNS)
    evaluation = evaluate_counts(counted)
    return BestReachable(auc=evaluation.auc, log_loss=evaluation.log_loss)
