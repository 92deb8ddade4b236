"""Scores the held-out rows with all compared models, in one pass.

Native LightGBM scores whole batches; golden records prove that SynapseML's transformer gives the same probabilities.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import Encoder, RawRows
from features.schema import Schema
from training.kernels.columns import FEATURES, LABEL, matrix, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.metrics.known import KINDS, KnownOrNew
from training.metrics.score_counts import BY, COLUMNS, MERGED, InSlices, ScoreCounts
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
    keys: tuple[KnownOrNew, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = ScoreCounts(models=1 + len(self.others), slices=sum(self._sizes))
        booster = lightgbm.Booster(model_str=self.model)
        for batch in batches:
            label, *columns_of_inputs = batch.columns
            rows = raw_rows(columns_of_inputs, self.schema).of(self.own)
            inputs = rows.encode(self.encoder)
            # One thread, because there is one such task per core.
            probability = np.asarray(booster.predict(inputs, num_threads=1), dtype=np.float64)
            clicked = label.to_numpy() == 1
            counts.add(clicked, probability, slices=self._places(rows))
            for number, scorer in enumerate(self.others, start=1):
                counts.add(clicked, scorer(inputs), model=number)
        yield counts.batch()

    @property
    def _sizes(self) -> list[int]:
        """How many segments each of `sliced`, then each of `keys` has."""
        return [*(column.size for column in self.sliced), *(len(KINDS) for _ in self.keys)]

    def _places(self, rows: RawRows) -> list[InSlices]:
        starts = list(accumulate(self._sizes, initial=0))
        of_keys = starts[len(self.sliced) :]
        return [
            *(column.places(rows, start=start) for column, start in zip(self.sliced, starts, strict=False)),
            *(key.places(rows, self.encoder, start=start) for key, start in zip(self.keys, of_keys, strict=False)),
        ]


def scoring(
    schema: Schema,
    encoder: Encoder,
    *,
    model: str,
    own: Schema | None = None,
    others: Sequence[Scorer] = (),
    sliced: Sequence[SlicedColumn] = (),
    keys: Sequence[KnownOrNew] = (),
) -> Kernel:
    """The `ScoreCounts` of prepared rows of `schema`: LightGBM's `model` is number 0, the `others` are from 1 on.

    `own` is the model's schema if it differs; the rows must have all of its columns. Model 0's rows are also counted by
    segment: for each value of the columns `sliced`, one column after the other, then for each of the `keys`.
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
            keys=tuple(keys),
        ),
        by=BY,
        merged=MERGED,
    )
