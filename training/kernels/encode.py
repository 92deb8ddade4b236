"""Out-of-fold target encoding: the encoder's tables from counts, and the training rows' inputs.

A training row gets its values' rates from the other folds, so that its own label does not leak into its inputs; a
held-out row is encoded as the service will do it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.columns import Places, Stands
from features.encoder import Counts, Encoder, Factors, PooledCounts, RawRows, derive_encoder, smoothed_rate
from features.hashing import Hashes, RowOfEach
from features.schema import Schema
from training.kernels.columns import FEATURES, FOLD, LABEL, PART, RECORD_HASH, lists, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.parameters import TrainingParameters


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
        """The encoders from these counts, without factors."""
        kept = Counts(
            column=values.column, hash=values.hash, rows=values.rows.sum(axis=1), clicks=values.clicks.sum(axis=1)
        )
        pooled = PooledCounts(
            kept=kept, rare_rows=values.rare_rows.sum(axis=1), rare_clicks=values.rare_clicks.sum(axis=1)
        )
        average = pooled.averages()[:, None]
        return cls(
            schema=schema,
            encoder=derive_encoder(pooled, columns=schema.categories, smoothing=parameters.smoothing),
            rates=smoothed_rate(
                kept.clicks[:, None] - values.clicks,
                kept.rows[:, None] - values.rows,
                average=np.broadcast_to(average[kept.column], values.rows.shape),
                smoothing=parameters.smoothing,
            ),
            unseen=smoothed_rate(
                pooled.rare_clicks[:, None] - values.rare_clicks,
                pooled.rare_rows[:, None] - values.rare_rows,
                average=np.broadcast_to(average, values.rare_rows.shape),
                smoothing=parameters.smoothing,
            ),
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
