"""Scores the held-out rows with all compared models, overall and by segment, in one pass.

Native LightGBM scores whole batches; golden records prove that SynapseML's transformer gives the same probabilities.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import Encoder, RawRows
from features.schema import Schema
from training.evaluation.baselines import Logistic
from training.evaluation.metrics import (
    BY,
    COLUMNS,
    MERGED,
    SLICES,
    Evaluation,
    InSlices,
    ScoreCounts,
    evaluate_bins,
    score_bins,
    squares,
)
from training.evaluation.segments import (
    KINDS,
    KnownOrNew,
    Slice,
    SlicedColumn,
    choose,
    keys_among,
    measure_keys,
    measure_slices,
    value_names,
)
from training.kernels.columns import LABEL, TIME, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.model.fitted import Fitted
from training.model.native import lightgbm
from training.protocols import Scannable

Scorer = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Inputs float64[n, m] to click probabilities float64[n]."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A version of the model: LightGBM's `text` and the encoder for the columns of its `schema`."""

    schema: Schema
    encoder: Encoder
    text: str


@dataclass(frozen=True, kw_only=True)
class _Paired:
    """Scores prepared rows of `schema` by two versions, whose columns they all have; only those from `since` on."""

    schema: Schema
    versions: tuple[Scored, Scored]
    since: int | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = ScoreCounts(models=2)
        boosters = [lightgbm.Booster(model_str=version.text) for version in self.versions]
        for batch in batches:
            late = batch if self.since is None else batch.filter(pa.array(batch.column(TIME).to_numpy() >= self.since))
            if len(late) == 0:
                continue
            clicked = late.column(LABEL).to_numpy() == 1
            rows = raw_rows([late.column(name) for name in raw_columns(self.schema)], self.schema)
            found = []
            for number, (version, booster) in enumerate(zip(self.versions, boosters, strict=True)):
                inputs = rows.of(version.schema).encode(version.encoder)
                # One thread, because there is one such task per core.
                found.append(np.asarray(booster.predict(inputs, num_threads=1), dtype=np.float64))
                counts.add(clicked, found[-1], model=number)
            yield squares(clicked, *found)
        yield counts.batch()


def scoring_paired(schema: Schema, one: Scored, other: Scored, *, since: int | None = None) -> Kernel:
    """The `ScoreCounts` of prepared rows of `schema` by two versions, numbers 0 and 1, and the record `SQUARES`.

    The versions' columns are among those of `schema`. With `since`, microseconds since 1970, earlier rows are left out.
    """
    columns = dict.fromkeys((LABEL, *raw_columns(schema), *([] if since is None else [TIME])))
    function = _Paired(schema=schema, versions=(one, other), since=since)
    return Kernel(columns=tuple(columns), schema=COLUMNS, function=function, by=BY, merged=MERGED)


@dataclass(frozen=True, kw_only=True)
class _Scoring:
    """Scores prepared rows of `schema` by a model of the same schema."""

    schema: Schema
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
            rows = raw_rows(columns_of_inputs, self.schema)
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
    others: Sequence[Scorer] = (),
    sliced: Sequence[SlicedColumn] = (),
    keys: Sequence[KnownOrNew] = (),
) -> Kernel:
    """The `ScoreCounts` of prepared rows of `schema`: LightGBM's `model` is number 0, the `others` are from 1 on.

    Model 0's rows are also counted by segment: for each value of the columns `sliced`, one column after the other, then
    for each of the `keys`.
    """
    return Kernel(
        columns=(LABEL, *raw_columns(schema)),
        schema=COLUMNS,
        function=_Scoring(
            schema=schema,
            encoder=encoder,
            model=model,
            others=tuple(others),
            sliced=tuple(sliced),
            keys=tuple(keys),
        ),
        by=BY,
        merged=MERGED,
    )


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
    sliced = choose(encoder, schema, fitted.importance)
    others = [] if logistic is None else [logistic.probability]
    known = keys_among(schema, keys)
    kernel = scoring(schema, encoder, model=fitted.text, others=others, sliced=sliced, keys=known)
    bins = score_bins(held_out.scan(kernel))
    names = value_names(held_out, schema, sliced)
    evaluations = [evaluate_bins(bins[of]) for of in sorted(bins) if of < SLICES]
    return Measured(
        evaluation=evaluations[0],
        logistic=evaluations[1] if others else None,
        slices=measure_slices(bins, sliced, names=schema.categories, values=names),
        keys=measure_keys(bins, known, names=schema.categories, start=SLICES + sum(column.size for column in sliced)),
    )
