"""One pass over the dataset: typed rows become Parquet with hashed categories, which all later stages read instead."""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.parameters import Split, TrainingParameters
from training.quoting import column
from training.split import PART, RECORD_HASH, Part, SplitError, held_out_at_random, with_parts

RAW = "_raw"
"""The categories as they were, of the rows that may be held out; null elsewhere, where nobody reads them."""

ROWS_PER_FILE = 50_000
"""Even a source that only one task can read, a gzip file, is spread over all cores from here on."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The rows as Parquet, with part and fold: label int, numbers double (null for missing), categories as hashes."""

    rows: DataFrame
    counts: dict[str, int]
    clicks: dict[str, int]

    def part(self, *parts: Part) -> DataFrame:
        """The rows of these parts."""
        return self.rows.where(F.col(PART).isin([part.value for part in parts]))


def prepare(source: DataFrame, schema: Schema, parameters: TrainingParameters, *, folder: Path) -> Prepared:
    """Write the rows of `source` (columns as `schema` has them) to `folder` and split them.

    Raises `SplitError` when a part has no row, or rows of one class only.
    """
    spark = source.sparkSession
    path = folder.absolute().as_uri()
    _hashed(source, schema, parameters).write.option("maxRecordsPerFile", ROWS_PER_FILE).parquet(path)
    rows = spark.read.parquet(path)
    rows = with_parts(rows, schema, parameters, count=rows.count())
    table = rows.groupBy(PART).agg(F.count(F.lit(1)), F.sum(column(schema.label))).collect()
    counts = {part.value: 0 for part in Part} | {part: count for part, count, _ in table}
    clicks = {part.value: 0 for part in Part} | {part: total for part, _, total in table}
    for part in Part:
        _check_part(part, counts[part], clicks[part])
    return Prepared(rows=rows, counts=counts, clicks=clicks)


def _hashed(source: DataFrame, schema: Schema, parameters: TrainingParameters) -> DataFrame:
    hashes = [F.xxhash64(column(name)).alias(name) for name in schema.categorical]
    time = [] if schema.timestamp is None else [F.unix_micros(column(schema.timestamp)).alias(schema.timestamp)]
    record = F.xxhash64(*map(column, schema.features), *time).alias(RECORD_HASH)
    raw = F.struct(*map(column, schema.categorical)) if schema.categorical else F.struct(F.lit(0))
    label, numbers = column(schema.label).cast("int").alias(schema.label), map(column, schema.numeric)
    typed = source.select(label, *numbers, *hashes, *time, record, raw.alias(RAW))
    return typed.withColumn(RAW, F.when(_may_be_held_out(parameters), F.col(RAW)))


def _may_be_held_out(parameters: TrainingParameters) -> Column:
    match parameters.split:
        case Split.RANDOM:
            return held_out_at_random(parameters)
        case Split.TIME:
            # Where the cut lies is not known before all rows have been seen.
            return F.lit(True)  # noqa: FBT003 - a literal of Spark, not a flag


def _check_part(part: Part, rows: int, clicks: int) -> None:
    name = part.value.replace("_", "-")
    if rows == 0:
        raise SplitError(f"There are no {name} rows. Give more rows, or change `train_fraction`.")
    if clicks in {0, rows}:
        raise SplitError(
            f"All {rows:,} {name} rows have the label {int(clicks > 0)}, and a model needs both. "
            "Check the label's rule, or give more rows."
        )
