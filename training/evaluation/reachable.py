"""The metrics of the true probabilities of generated rows: the best that any model can reach."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.schema import Schema
from recommend.metrics import Ranker
from training.datasets.generated import films
from training.evaluation.metrics import BY, COLUMNS, MERGED, ScoreCounts, evaluate_counts
from training.kernels.columns import LABEL, NUMBERS, RAW, matrix
from training.kernels.kernel import Kernel
from training.parameters import Dataset, FilmsDataset
from training.protocols import Scannable

Truth = Callable[[Mapping[str, Any]], npt.NDArray[np.float64]]
"""The true click probabilities of rows, float64[n], whose fields are given by the columns' names."""


@dataclass(frozen=True, kw_only=True)
class BestReachable:
    """The metrics of the true click probabilities on the held-out rows; known for generated data only."""

    auc: float
    log_loss: float


def best_reachable(held_out: Scannable, dataset: Dataset, schema: Schema) -> BestReachable | None:
    """The best reachable AUC and log loss on these prepared rows; None unless they are generated."""
    if not isinstance(dataset, FilmsDataset):
        return None
    truth = partial(films.true_probability, dataset=dataset)
    evaluation = evaluate_counts(held_out.scan(scoring_truth(schema, truth)))
    return BestReachable(auc=evaluation.auc, log_loss=evaluation.log_loss)


def best_order(dataset: Dataset, users: Sequence[str], items: Sequence[str]) -> Ranker | None:
    """Ranks items for users, both by their keys, in the best order; None unless it is known."""
    if not isinstance(dataset, FilmsDataset):
        return None
    return lambda asked: films.true_chances([users[user] for user in asked], items, dataset).astype(np.float32)


def scoring_truth(schema: Schema, truth: Truth) -> Kernel:
    """The `ScoreCounts` of generated rows by their true click probabilities."""
    return Kernel(
        columns=(LABEL, NUMBERS, RAW),
        schema=COLUMNS,
        function=partial(_score, schema=schema, truth=truth),
        by=BY,
        merged=MERGED,
    )


def _score(batches: Iterable[pa.RecordBatch], *, schema: Schema, truth: Truth) -> Iterator[pa.RecordBatch]:
    counts = ScoreCounts()
    for batch in batches:
        label, numbers, raw = batch.columns
        texts = [column.to_numpy(zero_copy_only=False) for column in raw.flatten()]
        columns = [*matrix(numbers, len(schema.numeric)).T, *texts]
        probability = truth(dict(zip(schema.features, columns, strict=True)))
        counts.add(label.to_numpy() == 1, probability)
    yield counts.batch()
