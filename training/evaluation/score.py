"""Scores the held-out rows with all compared models, in one pass.

Native LightGBM scores whole batches; golden records prove that SynapseML's transformer gives the same probabilities.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import Encoder
from features.schema import Schema
from training.kernels.columns import FEATURES, LABEL, matrix, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.metrics.score_counts import BY, COLUMNS, MERGED, ScoreCounts
from training.metrics.slices import SlicedColumn
from training.model.native import lightgbm

Scorer = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Inputs float64[n, m] to click probabilities float64[n]."""


def scoring_encoded(model: str) -> Kernel:
    """The `ScoreCounts` of encoded rows by LightGBM's `model`, which is number 0."""
    return Kernel(
        columns=(LABEL, FEATURES), schema=COLUMNS, function=partial(_encoded, model=model), by=BY, merged=MERGED
    )


def _encoded(batches: Iterable[pa.RecordBatch], *, model: str) -> Iterator[pa.RecordBatch]:
    counts, booster = ScoreCounts(), lightgbm.Booster(model_str=model)
    for batch in batches:
        label, inputs = batch.columns
        probability = booster.predict(matrix(inputs, booster.num_feature()), num_threads=1)
        counts.add(label.to_numpy() == 1, np.asarray(probability, dtype=np.float64))
    yield counts.batch()


@dataclass(frozen=True, kw_only=True)
class _Scoring:
    """Scores prepared rows of `schema` by a model of the schema `own`, whose columns they all have."""

    schema: Schema
    own: Schema
    encoder: Encoder
    model: str
    others: tuple[Scorer, ...]
    sliced: tuple[SlicedColumn, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        starts = np.cumsum([0, *(len(column.hashes) + 1 for column in self.sliced)], dtype=np.int32)
        counts = ScoreCounts(models=1 + len(self.others), slices=int(starts[-1]))
        booster = lightgbm.Booster(model_str=self.model)
        for batch in batches:
            label, *columns_of_inputs = batch.columns
            rows = raw_rows(columns_of_inputs, self.schema).of(self.own)
            inputs = rows.encode(self.encoder)
            # One thread, because there is one such task per core.
            probability = np.asarray(booster.predict(inputs, num_threads=1), dtype=np.float64)
            clicked = label.to_numpy() == 1
            places = [column.places(rows, start=start) for column, start in zip(self.sliced, starts[:-1], strict=True)]
            counts.add(clicked, probability, slices=places)
            for number, scorer in enumerate(self.others, start=1):
                counts.add(clicked, scorer(inputs), model=number)
        yield counts.batch()


def scoring(
    schema: Schema,
    encoder: Encoder,
    *,
    model: str,
    own: Schema | None = None,
    others: Sequence[Scorer] = (),
    sliced: Sequence[SlicedColumn] = (),
) -> Kernel:
    """The `ScoreCounts` of prepared rows of `schema`: LightGBM's `model` is number 0, the `others` are from 1 on.

    `own` is the model's schema if it differs; the rows must have all of its columns. Model 0's rows are also counted by
    segment: for each value of the columns `sliced`, one column after the other.
    """
    return Kernel(
        columns=(LABEL, *raw_columns(schema)),
        schema=COLUMNS,
        function=_Scoring(
            schema=schema,
            own=own or schema,
            encoder=encoder,
            model=model,
            others=tuple(others),
            sliced=tuple(sliced),
        ),
        by=BY,
        merged=MERGED,
    )
