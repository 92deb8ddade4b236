"""The probabilities of the held-out rows, by every model that is compared, in one pass over them.

Native LightGBM scores whole batches here; that Spark's own transformer says the same is what golden records prove.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from features.encoder import Encoder
from features.schema import Schema
from training.evaluate import LABEL, OF, PROBABILITY, SLICES
from training.matrices import matrix
from training.prepare import CATEGORIES, NUMBERS
from training.quoting import numbered
from training.slices import SlicedColumn

Scorer = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Inputs float64[n, m] to click probabilities float64[n]."""


def score_held_out(
    rows: DataFrame,
    schema: Schema,
    encoder: Encoder,
    *,
    model: str,
    others: Sequence[Scorer],
    sliced: Sequence[SlicedColumn] = (),
) -> DataFrame:
    """What `training.evaluate.score_bins` takes: of 0 for LightGBM's `model`, from 1 on for the `others`.

    From `SLICES` on, it is the model's again for the slices of each of the columns `sliced`, one after the other.
    """
    shared = rows.sparkSession.sparkContext.broadcast((encoder, model, tuple(others), tuple(sliced)))
    widths = len(schema.numeric), len(schema.categorical)

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tables, text, scorers, columns = shared.value
        starts = SLICES + np.cumsum([0, *(len(column.hashes) + 1 for column in columns)], dtype=np.int32)
        booster = lightgbm.Booster(model_str=text)
        for batch in batches:
            label, numbers, categories = batch.columns
            hashes = matrix(categories, widths[1])
            inputs = tables.encode(matrix(numbers, widths[0]), hashes)
            # One thread: Spark runs as many tasks as there are cores.
            scores = [booster.predict(inputs, num_threads=1), *(scorer(inputs) for scorer in scorers)]
            of: list[npt.NDArray[np.signedinteger[Any]]]
            of = [np.full(len(batch), index, dtype=np.int32) for index in range(len(scores))]
            of += [column.places(hashes) + start for column, start in zip(columns, starts[:-1], strict=True)]
            scores += [scores[0]] * len(columns)
            labels = np.tile(label.to_numpy(), len(of))
            yield pa.RecordBatch.from_arrays(
                [pa.array(np.concatenate(of)), pa.array(labels), pa.array(np.concatenate(scores))],
                names=[OF, LABEL, PROBABILITY],
            )

    inputs = numbered(rows, [schema.label, NUMBERS, CATEGORIES])
    return inputs.mapInArrow(score, f"{OF} int, {LABEL} int, {PROBABILITY} double")
