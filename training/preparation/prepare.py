"""One pass over the dataset: typed rows become Parquet with hashed categories, which all later stages read instead.

The columns of a kind lie in one array. To Spark, a row is then a handful of values and not dozens: it compiles and
moves much less for each, and Python gets them as matrices without a copy.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.datasets.source import DAY, PROBLEM, Source
from training.parameters import Split, TrainingParameters
from training.preparation.several import value_columns, value_hashes
from training.preparation.split import PART, RECORD_HASH, Part, SplitError, held_out_at_random, with_parts
from training.spark.identifiers import column
from training.spark.spark_paths import stored

NUMBERS = "_numbers"
"""The numbers of a row in the schema's order, array<double> with NaN for missing."""
CATEGORIES = "_categories"
"""The hashes of a row's categories in the schema's order, array<bigint>; that of the whole field where a column holds
several values, whose own hashes are in `training.preparation.several.VALUES`."""
RAW = "_raw"
"""The categories as they were, array<string>, of the rows that may be held out; null elsewhere, where nobody reads
them."""

ROWS_PER_FILE = 50_000
"""Even a source that only one task can read, a gzip file, is spread over all cores from here on."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The rows as Parquet: label, `raw_columns`, `RAW`, the timestamp in microseconds, part and fold."""

    rows: DataFrame
    counts: dict[str, int]
    clicks: dict[str, int]
    missing: tuple[int, ...]
    """Rows to train on without each of the numbers."""

    def part(self, *parts: Part) -> DataFrame:
        """The rows of these parts."""
        return self.rows.where(F.col(PART).isin([part.value for part in parts]))

    @property
    def training_rows(self) -> int:
        """How many rows are trained on: to fit, and to stop early by."""
        return self.counts[Part.FIT] + self.counts[Part.VALIDATION]

    @property
    def training_clicks(self) -> int:
        """How many of those are clicks."""
        return self.clicks[Part.FIT] + self.clicks[Part.VALIDATION]


def prepare(source: Source, parameters: TrainingParameters, *, folder: Path) -> Prepared:
    """Write the rows of `source` to `folder`, unless they are there already, and split them.

    Raises the `DatasetError` that fits for rows that are not right, and `SplitError` when a part has no row, or rows of
    one class only.
    """
    schema = source.schema
    with source.reading():
        written = stored(_hashed(source.frame, schema, parameters), folder, rows_per_file=ROWS_PER_FILE)
    count = source.require_right(written).rows
    rows = with_parts(written.drop(PROBLEM), schema, parameters, count=count)
    absent = [F.count_if(F.isnan(F.col(NUMBERS)[index])) for index in range(len(schema.numeric))]
    table = rows.groupBy(PART).agg(F.count(F.lit(1)), F.sum(column(schema.label)), *absent).collect()
    counts = {part.value: 0 for part in Part} | {part: count for part, count, *_ in table}
    clicks = {part.value: 0 for part in Part} | {part: total for part, _, total, *_ in table}
    for part in Part:
        _check_part(part, counts[part], clicks[part])
    missing = np.array([row[3:] for row in table if row[PART] != Part.HELD_OUT]).sum(axis=0)
    return Prepared(rows=rows, counts=counts, clicks=clicks, missing=tuple(missing.tolist()))


def as_they_were(rows: DataFrame, schema: Schema, *extra: str) -> DataFrame:
    """Rows that have `RAW` with their columns' own names: label, null for missing numbers, categories; and `extra`."""
    numbers = (F.col(NUMBERS)[index] for index in range(len(schema.numeric)))
    present = (F.when(~F.isnan(number), number) for number in numbers)
    categories = (F.col(RAW)[index] for index in range(len(schema.categorical)))
    values = zip([*present, *categories], schema.features, strict=True)
    return rows.select(column(schema.label), *(value.alias(name) for value, name in values), *extra)


def raw_columns(schema: Schema) -> list[str]:
    """What the inputs of a row are made from: `NUMBERS`, `CATEGORIES` and, where the schema has such columns,
    `training.preparation.several.VALUES`."""
    return [NUMBERS, CATEGORIES, *value_columns(schema)]


def numbers_and_hashes(schema: Schema) -> list[Column]:
    """The `raw_columns` of raw rows, numbers with NaN for missing."""
    numbers = (F.coalesce(column(name), F.lit(float("nan"))) for name in schema.numeric)
    hashes = (F.xxhash64(column(name)) for name in schema.categorical)
    return [
        F.array(*numbers).cast("array<double>").alias(NUMBERS),
        F.array(*hashes).cast("array<bigint>").alias(CATEGORIES),
        *value_hashes(schema),
    ]


def _hashed(source: DataFrame, schema: Schema, parameters: TrainingParameters) -> DataFrame:
    day = [DAY] if DAY in source.columns else []
    time = [] if schema.timestamp is None else [F.unix_micros(column(schema.timestamp)).alias(schema.timestamp)]
    raw = F.array(*map(column, schema.categorical)).cast("array<string>")
    return source.select(
        column(schema.label).cast("int").alias(schema.label),
        *numbers_and_hashes(schema),
        *time,
        F.xxhash64(*map(column, schema.features), *time).alias(RECORD_HASH),
        raw.alias(RAW),
        *day,
        PROBLEM,
    ).withColumn(RAW, F.when(_may_be_held_out(parameters), F.col(RAW)))


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
