"""The metrics of the true probabilities of generated rows: the best that any model can reach."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from features.schema import Schema
from recommend.metrics import Ranker
from training.datasets.generated import films
from training.evaluation.metrics import evaluate
from training.kernels.columns import LABEL, NUMBERS, RAW, matrix
from training.kernels.kernel import Kernel
from training.parameters import Dataset, FilmsDataset
from training.protocols import Scannable

_SCORED = pa.schema([(LABEL, pa.int8()), ("probability", pa.float64())])


@dataclass(frozen=True, kw_only=True)
class BestReachable:
    """The metrics of the true click probabilities on the held-out rows; known for generated data only."""

    auc: float
    log_loss: float


def best_reachable(held_out: Scannable, dataset: Dataset, schema: Schema) -> BestReachable | None:
    """The best reachable AUC and log loss on these prepared rows; None unless they are generated."""
    if not isinstance(dataset, FilmsDataset):
        return None
    function = partial(_score, schema=schema, dataset=dataset)
    label, probability = held_out.scan(Kernel(columns=(LABEL, NUMBERS, RAW), schema=_SCORED, function=function)).columns
    evaluation = evaluate(label.to_numpy() == 1, probability.to_numpy())
    return BestReachable(auc=evaluation.auc, log_loss=evaluation.log_loss)


def best_order(dataset: Dataset, users: Sequence[str], items: Sequence[str]) -> Ranker | None:
    """Ranks items for users, both by their keys, in the best order; None unless it is known."""
    if not isinstance(dataset, FilmsDataset):
        return None
    return lambda asked: films.true_chances([users[user] for user in asked], items, dataset).astype(np.float32)


def _score(batches: Iterable[pa.RecordBatch], *, schema: Schema, dataset: FilmsDataset) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        label, numbers, raw = batch.columns
        texts = [column.to_numpy(zero_copy_only=False) for column in raw.flatten()]
        columns = dict(zip(schema.features, [*matrix(numbers, len(schema.numeric)).T, *texts], strict=True))
        probability = films.true_probability(columns, dataset)
        yield pa.RecordBatch.from_arrays([label.cast(pa.int8()), pa.array(probability)], schema=_SCORED)
