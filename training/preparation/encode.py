"""Categories as numbers on Spark: one aggregation of (column, value, fold), then a lookup in sorted arrays.

What reaches the driver are the frequent values only. A row of the training part gets the rate that the other folds
give its value, so that its own label never helps to predict it; a held-out row gets what the service will use.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.counts import MOST_ROWS, Counts, PooledCounts, derive_encoder, smoothed_rate, threshold
from features.encoder import Encoder, RowOfEach, Several
from features.schema import Schema
from training.parameters import TrainingParameters
from training.preparation.matrices import array, raw_inputs
from training.preparation.prepare import CATEGORIES, raw_columns
from training.preparation.several import VALUES
from training.preparation.split import FOLD
from training.spark.identifiers import column, numbered, quoted
from training.spark.spark_paths import stored

FEATURES = "_features"
"""The inputs of a row in the order of `Schema.encoded_features`, array<double> with NaN for missing numbers."""

CLICKS_FROM_BIT = 32
"""Where the clicks begin in a number that counts rows and clicks: both have place for 2 billion."""


@dataclass(frozen=True, kw_only=True)
class FoldEncoder:
    """The encoder and, for each fold, the rates that the rows outside of it give.

    `rates` float32[v, k] and `unseen` float32[c, k] are aligned with the encoder's; log counts are those of all rows,
    since how often a value occurs tells nothing about a label.
    """

    encoder: Encoder
    rates: npt.NDArray[np.float32]
    unseen: npt.NDArray[np.float32]

    def encode(
        self,
        numeric: npt.NDArray[np.float64],
        hashes: npt.NDArray[np.int64],
        several: Mapping[int, Several] | None,
        folds: npt.NDArray[np.int32] | None,
    ) -> npt.NDArray[np.float64]:
        """As `Encoder.encode`, by the rows outside of each row's fold, int32[n]; without folds by all rows."""
        if folds is None:
            return self.encoder.encode(numeric, hashes, several)

        def lookup(
            index: int, hashes: npt.NDArray[np.int64], row: RowOfEach
        ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
            position, seen = self.encoder.find(index, hashes)
            fold = folds[row]
            rate = self.unseen[index][fold]
            log_count = np.full(len(hashes), self.encoder.unseen[index, 1])
            rate[seen] = self.rates[position[seen], fold[seen]]
            log_count[seen] = self.encoder.log_counts[position[seen]]
            return rate, log_count

        return self.encoder.encode(numeric, hashes, several, lookup)


def count(rows: DataFrame, schema: Schema, parameters: TrainingParameters, *, folder: Path) -> DataFrame:
    """Rows and clicks of each category value by fold, from one shuffle, as Parquet in `folder` unless it is there.

    Where a column holds several values, a row counts once for each of its own.

    Columns: `column` short, `hash` long, and `rows_k` and `clicks_k` long for each fold k.
    """
    # A row and its click in one number: half as many sums to keep for each value, and to compile.
    seen = F.shiftleft(column(schema.label).cast("long"), CLICKS_FROM_BIT) + 1
    values = _exploded(rows.withColumn("seen", seen), schema)
    folds = range(parameters.folds)
    sums = [F.sum(F.when(F.col(FOLD) == fold, F.col("seen")).otherwise(0)).alias(f"seen_{fold}") for fold in folds]
    counted = (
        values.groupBy("column", "hash")
        .agg(*sums)
        .select(
            "column",
            "hash",
            *(F.col(f"seen_{fold}").bitwiseAND(2**CLICKS_FROM_BIT - 1).alias(f"rows_{fold}") for fold in folds),
            *(F.shiftright(f"seen_{fold}", CLICKS_FROM_BIT).alias(f"clicks_{fold}") for fold in folds),
        )
    )
    return stored(counted, folder)


def _exploded(rows: DataFrame, schema: Schema) -> DataFrame:
    """`seen`, `FOLD`, `column` and `hash` of each value in each row."""
    if not schema.several:
        values = rows.select("seen", FOLD, F.posexplode(CATEGORIES).alias("column", "hash"))
    else:
        fields = [F.array(F.col(CATEGORIES)[index]) for index in range(len(schema.categorical))]
        for place, index in enumerate(schema.several):
            fields[index] = F.col(VALUES)[place]
        values = rows.select("seen", FOLD, F.posexplode(F.array(*fields)).alias("column", "hash"))
        values = values.withColumn("hash", F.explode("hash"))
    return values.withColumn("column", F.col("column").cast("short"))


def fold_encoder(counted: DataFrame, schema: Schema, parameters: TrainingParameters) -> FoldEncoder:
    """The encoders that follow from the table of `count`. What reaches the driver is what they have a place for: values
    in `min_category_rows` rows, and at most `features.counts.MAX_VALUES`."""
    folds, columns = range(parameters.folds), len(schema.categorical)
    frequent = total(counted, "rows") >= _needed_rows(counted, parameters)
    table = counted.where(frequent).toPandas().sort_values(["column", "hash"])
    rare = counted.where(~frequent).groupBy("column").agg(*(F.sum(name).alias(name) for name in counted.columns[2:]))
    pools = rare.toPandas().set_index("column").reindex(range(columns), fill_value=0)

    def parts(kind: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        names = [f"{kind}_{fold}" for fold in folds]
        return table[names].to_numpy(np.int64), pools[names].to_numpy(np.int64)

    (rows, rare_rows), (clicks, rare_clicks) = parts("rows"), parts("clicks")
    kept = Counts(
        column=table["column"].to_numpy(np.int16),
        hash=table["hash"].to_numpy(np.int64),
        rows=rows.sum(axis=1),
        clicks=clicks.sum(axis=1),
    )
    pooled = PooledCounts(kept=kept, rare_rows=rare_rows.sum(axis=1), rare_clicks=rare_clicks.sum(axis=1))
    average = pooled.averages()[:, None]
    return FoldEncoder(
        encoder=derive_encoder(pooled, columns=schema.categorical, smoothing=parameters.smoothing),
        rates=smoothed_rate(
            kept.clicks[:, None] - clicks,
            kept.rows[:, None] - rows,
            average=np.broadcast_to(average[kept.column], rows.shape),
            smoothing=parameters.smoothing,
        ),
        unseen=smoothed_rate(
            pooled.rare_clicks[:, None] - rare_clicks,
            pooled.rare_rows[:, None] - rare_rows,
            average=np.broadcast_to(average, rare_rows.shape),
            smoothing=parameters.smoothing,
        ),
    )


def _needed_rows(counted: DataFrame, parameters: TrainingParameters) -> int:
    """The rows that a value needs for a place of its own in the encoder."""
    rows = F.least(total(counted, "rows"), F.lit(MOST_ROWS))
    table = counted.groupBy(rows.alias("rows")).count().toPandas()
    values = np.bincount(table["rows"], weights=table["count"]).astype(np.int64)
    return threshold(values, min_category_rows=parameters.min_category_rows)


def total(counted: DataFrame, kind: str) -> Column:
    """`rows` or `clicks` of a value over all folds."""
    terms = (F.col(name) for name in counted.columns if name.startswith(f"{kind}_"))
    return reduce(lambda sum_so_far, term: sum_so_far + term, terms)


def encode(
    rows: DataFrame, schema: Schema, encoder: FoldEncoder, *, out_of_fold: bool, extra: Sequence[str]
) -> DataFrame:
    """The model's inputs of each prepared row, `FEATURES`, beside the label and the columns `extra`."""
    shared = rows.sparkSession.sparkContext.broadcast(encoder)
    kept = [schema.label, *extra]

    def encode_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tables = shared.value
        for batch in batches:
            columns, (fold, *raw) = batch.columns[: len(kept)], batch.columns[len(kept) :]
            folds = fold.to_numpy(zero_copy_only=False) if out_of_fold else None
            encoded = tables.encode(*raw_inputs(raw, schema), folds)
            yield pa.RecordBatch.from_arrays([*columns, array(encoded)], names=[*kept, FEATURES])

    types = [f"{quoted(name)} {rows.schema[name].dataType.simpleString()}" for name in kept]
    inputs = numbered(rows, [*kept, FOLD, *raw_columns(schema)])
    return inputs.mapInArrow(encode_batches, ", ".join([*types, f"{FEATURES} array<double>"]))
