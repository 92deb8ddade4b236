"""The probabilities of the held-out rows, by every model that is compared, in one pass over them.

Native LightGBM scores whole batches here; that Spark's own transformer says the same is what golden records prove.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from features.encoder import Encoder
from features.schema import Schema
from training.evaluate import LABEL, OF, PROBABILITY
from training.matrices import matrix
from training.prepare import CATEGORIES, NUMBERS
from training.quoting import numbered

Scorer = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Inputs float64[n, m] to click probabilities float64[n]."""


def score_held_out(
    rows: DataFrame, schema: Schema, encoder: Encoder, *, model: str, others: Sequence[Scorer]
) -> DataFrame:
    """What `training.evaluate.evaluate_each` takes: of 0 for LightGBM's `model`, from 1 on for the `others`."""
    shared = rows.sparkSession.sparkContext.broadcast((encoder, model, tuple(others)))
    widths = len(schema.numeric), len(schema.categorical)

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tables, text, scorers = shared.value
        booster = lightgbm.Booster(model_str=text)
        for batch in batches:
            label, numbers, hashes = batch.columns
            inputs = tables.encode(matrix(numbers, widths[0]), matrix(hashes, widths[1]))
            # One thread: Spark runs as many tasks as there are cores.
            scores = [booster.predict(inputs, num_threads=1), *(scorer(inputs) for scorer in scorers)]
            of = np.repeat(np.arange(len(scores), dtype=np.int32), len(batch))
            labels = np.tile(label.to_numpy(), len(scores))
            yield pa.RecordBatch.from_arrays(
                [pa.array(of), pa.array(labels), pa.array(np.concatenate(scores))], names=[OF, LABEL, PROBABILITY]
            )

    inputs = numbered(rows, [schema.label, NUMBERS, CATEGORIES])
    return inputs.mapInArrow(score, f"{OF} int, {LABEL} int, {PROBABILITY} double")
