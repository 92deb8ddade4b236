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
from training.metrics.score_counts import COLUMNS, ScoreCounts
from training.metrics.slices import SlicedColumn
from training.preparation.matrices import raw_inputs
from training.preparation.prepare import raw_columns
from training.spark.identifiers import numbered

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
    """The `ScoreCounts` of each task: LightGBM's `model` is number 0, the `others` are from 1 on.

    The model's rows are counted again in a slice for each value of the columns `sliced`, one column after the other.
    """
    shared = rows.sparkSession.sparkContext.broadcast((encoder, model, tuple(others), tuple(sliced)))

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tables, text, scorers, columns = shared.value
        starts = np.cumsum([0, *(len(column.hashes) + 1 for column in columns)], dtype=np.int32)
        counts = ScoreCounts(models=1 + len(scorers), slices=int(starts[-1]))
        booster = lightgbm.Booster(model_str=text)
        for batch in batches:
            label, *columns_of_inputs = batch.columns
            raw = raw_inputs(columns_of_inputs, schema)
            inputs = tables.encode(*raw)
            # One thread: Spark runs as many tasks as there are cores.
            probability = np.asarray(booster.predict(inputs, num_threads=1), dtype=np.float64)
            clicked = label.to_numpy() == 1
            places = [column.places(raw, start=start) for column, start in zip(columns, starts[:-1], strict=True)]
            counts.add(clicked, probability, slices=places)
            for number, scorer in enumerate(scorers, start=1):
                counts.add(clicked, scorer(inputs), model=number)
        yield counts.batch()

    inputs = numbered(rows, [schema.label, *raw_columns(schema)])
    return inputs.mapInArrow(score, COLUMNS)
