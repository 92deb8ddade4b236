"""Out-of-fold target encoding: the encoder's tables from counts, and the training rows' inputs.

A training row gets its values' rates from the other folds, so that its own label does not leak into its inputs; a
held-out row is encoded as the service will do it. Counts hold only integers, and all rates are computed here, in one
process, so both engines and the service use the same ones.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.columns import Places, Stands
from features.encoder import Encoder, Factors, RawRows
from features.hashing import Hashes, RowOfEach
from features.schema import Schema
from training.kernels.columns import FEATURES, FOLD, LABEL, PART, RECORD_HASH, lists, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.parameters import TrainingParameters

MAX_VALUES = 3_500_000
"""The most values an encoder may hold, all columns together: at 16 bytes each, 56 MB of the bundle."""
MAX_ROWS = 100_000
"""The highest row count that `thresholds` tells apart: no dataset has enough values with more to fill an encoder."""
MIN_POOLED_VALUES = 100
"""How many rare values a column needs for their pooled rate to stand for unseen values: over 100 values the standard
error of a rate is at most 0.05, half the square root of 1/100."""


@dataclass(frozen=True, kw_only=True)
class FrequentValues:
    """The values that get a place in the encoder, ascending by column, then hash, and each column's pool of the others.

    `column` int16[v], `hash` int64[v], `rows` and `clicks` int64[v, folds], `rare_rows` and `rare_clicks`
    int64[c, folds].
    """

    column: npt.NDArray[np.int16]
    hash: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    clicks: npt.NDArray[np.int64]
    rare_rows: npt.NDArray[np.int64]
    rare_clicks: npt.NDArray[np.int64]

    def averages(self) -> npt.NDArray[np.float64]:
        """The click rate over all rows by each column's counts, float64[c]; 0 if nothing was counted."""
        rows, clicks = self.rare_rows.sum(axis=1), self.rare_clicks.sum(axis=1)
        np.add.at(rows, self.column, self.rows.sum(axis=1))
        np.add.at(clicks, self.column, self.clicks.sum(axis=1))
        return np.divide(clicks, rows, out=np.zeros(len(rows)), where=rows > 0)


def thresholds(
    values: npt.NDArray[np.int64], *, min_category_rows: int, max_values: int = MAX_VALUES
) -> npt.NDArray[np.int64]:
    """How many rows a value of each column needs to get a place in the encoder, int64[c].

    It is `min_category_rows`, or more if there would be more than `max_values` values. A column with fewer than
    `MIN_POOLED_VALUES` rare values gets no pool, since a few values would decide the rate of every new one. `values`,
    int64[c, m], is the number of values of each column that were seen in 0, 1, 2 ... rows; its last entry includes
    those seen in more.
    """
    of_as_many = np.cumsum(values.sum(axis=0)[::-1])[::-1]
    fitting = np.flatnonzero(of_as_many <= max_values)
    needed = max(min_category_rows, int(fitting[0]) if len(fitting) else values.shape[1])
    return np.where(values[:, :needed].sum(axis=1) < MIN_POOLED_VALUES, 1, needed)


def smoothed_rate(
    clicks: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    *,
    average: npt.NDArray[np.float64],
    smoothing: float,
) -> npt.NDArray[np.float32]:
    """Click rates of the same shape, with `smoothing` rows of the average mixed in; the average if there is no row.

    The `average` has that shape, or one that NumPy broadcasts to it.
    """
    weight = rows + smoothing
    rate = np.array(np.broadcast_to(average, weight.shape), dtype=np.float64)
    np.divide(clicks + smoothing * average, weight, out=rate, where=weight > 0)
    return rate.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class FoldEncoder:
    """The encoder, and the rates from the rows outside of each fold.

    `rates` float32[v, k] and `unseen` float32[c, k] are aligned with the encoder's. Log counts are those of all
    rows, since a value's frequency reveals no label. `factors` has the factors of each fold, if the
    schema names any.
    """

    schema: Schema
    encoder: Encoder
    rates: npt.NDArray[np.float32]
    unseen: npt.NDArray[np.float32]
    factors: tuple[Factors, ...] = ()

    @classmethod
    def of(cls, values: FrequentValues, schema: Schema, parameters: TrainingParameters) -> "FoldEncoder":
        """The encoders from these counts, without factors.

        They encode rare and unseen values alike, with the rate of the column's pool and a log count of 0.
        """
        rate = partial(smoothed_rate, smoothing=parameters.smoothing)
        rows, clicks, rare_rows, rare_clicks = (
            of_folds.sum(axis=1, keepdims=True)
            for of_folds in (values.rows, values.clicks, values.rare_rows, values.rare_clicks)
        )
        average = values.averages()[:, None]
        own_average = average[values.column]
        unseen = rate(rare_clicks, rare_rows, average=average)
        return cls(
            schema=schema,
            encoder=Encoder(
                columns=schema.categories,
                offsets=np.searchsorted(values.column, np.arange(len(schema.categories) + 1)).astype(np.int64),
                hashes=values.hash,
                rates=rate(clicks, rows, average=own_average)[:, 0],
                log_counts=np.log1p(rows[:, 0]).astype(np.float32),
                unseen=np.column_stack([unseen, np.zeros_like(unseen)]),
            ),
            rates=rate(clicks - values.clicks, rows - values.rows, average=own_average),
            unseen=rate(rare_clicks - values.rare_clicks, rare_rows - values.rare_rows, average=average),
        )

    def encode(self, rows: RawRows, folds: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """The inputs of `rows`, float64[n, f], each from the rows outside of its fold, int32[n]."""
        return rows.encode(_OutOfFold(self, folds))


@dataclass(frozen=True)
class _OutOfFold:
    """Looks up values in rows of these folds, int32[n], by the counts of the rows outside of each row's fold."""

    encoder: FoldEncoder
    folds: npt.NDArray[np.int32]

    def place(self, index: int, hashes: Hashes) -> Places:
        return self.encoder.encoder.place(index, hashes)

    def lookup(self, index: int, places: Places, row: RowOfEach) -> tuple[Stands, Stands]:
        plain, fold = self.encoder.encoder, self.folds[row]
        rate = self.encoder.unseen[index][fold]
        log_count = np.full(len(places), plain.unseen[index, 1])
        seen = places < plain.places(index)
        position = places[seen] + plain.offsets[index]
        rate[seen] = self.encoder.rates[position, fold[seen]]
        log_count[seen] = plain.log_counts[position]
        return rate, log_count

    def products(self, first: Places, second: Places) -> Stands:
        predicted = np.empty(len(self.folds), dtype=np.float32)
        for fold, factors in enumerate(self.encoder.factors):
            own = self.folds == fold
            predicted[own] = factors.products(first[own], second[own])
        return predicted


_KEPT = (LABEL, PART, RECORD_HASH)


def out_of_fold(encoder: FoldEncoder) -> Kernel:
    """The out-of-fold inputs of divided rows, with `LABEL`, `PART` and `RECORD_HASH`."""
    return Kernel(
        columns=(*_KEPT, FOLD, *raw_columns(encoder.schema)),
        schema=pa.schema(
            [
                (LABEL, pa.int8()),
                (PART, pa.int8()),
                (RECORD_HASH, pa.int64()),
                (FEATURES, pa.list_(pa.float64())),
            ]
        ),
        function=_Encoding(encoder=encoder),
    )


@dataclass(frozen=True, kw_only=True)
class _Encoding:
    encoder: FoldEncoder

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns, (fold, *raw) = batch.columns[: len(_KEPT)], batch.columns[len(_KEPT) :]
            encoded = self.encoder.encode(raw_rows(raw, self.encoder.schema), fold.to_numpy())
            yield pa.RecordBatch.from_arrays([*columns, lists(encoded)], names=[*_KEPT, FEATURES])
