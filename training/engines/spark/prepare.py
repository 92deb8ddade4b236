"""One pass over the dataset: typed rows become Parquet with hashed categories, which all later stages read instead.

The columns of a kind lie in one array. To Spark, a row is then a handful of values and not dozens: it compiles and
moves much less for each, and Python gets them as matrices without a copy.
"""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.engines.spark.identifiers import column
from training.engines.spark.reading.source import DAY, PROBLEM, Source
from training.engines.spark.rows import SparkRows
from training.engines.spark.several import value_hashes
from training.engines.spark.spark_paths import stored
from training.engines.spark.split import held_out_at_random
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, RAW, RECORD_HASH, TIME
from training.parameters import Split, TrainingParameters

ROWS_PER_FILE = 50_000
"""Even a source that only one task can read, a gzip file, is spread over all cores from here on."""


@dataclass(frozen=True, kw_only=True)
class SparkSource:
    """A dataset's rows on Spark; see `training.engine.Source`. `log` is the local session's log."""

    source: Source
    log: Path

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.source.schema

    def prepare(self, parameters: TrainingParameters, folder: Path) -> tuple[SparkRows, int]:
        """Check and hash the rows, and write them to `folder`, unless they are there already."""
        source = self.source
        with source.reading():
            written = stored(_hashed(source.frame, source.schema, parameters), folder, rows_per_file=ROWS_PER_FILE)
        count = source.require_right(written, label=LABEL).rows
        return SparkRows(frame=written.drop(PROBLEM), schema=source.schema, log=self.log), count


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
    time = [] if schema.timestamp is None else [F.unix_micros(column(schema.timestamp)).alias(TIME)]
    raw = F.array(*map(column, schema.categorical)).cast("array<string>")
    return source.select(
        column(schema.label).cast("tinyint").alias(LABEL),
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
