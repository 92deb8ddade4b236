"""Category values counted on Spark: one aggregation of (column, value, fold) by a shuffle."""

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.schema import Schema
from training.engines.spark.spark_paths import stored
from training.kernels.columns import CATEGORIES, FOLD, LABEL, VALUES
from training.parameters import TrainingParameters

CLICKS_FROM_BIT = 32
"""Where the clicks begin in a number that counts rows and clicks: both have place for 2 billion."""


def count(rows: DataFrame, schema: Schema, parameters: TrainingParameters, *, folder: Path) -> DataFrame:
    """Rows and clicks of each category value by fold, from one shuffle, as Parquet in `folder` unless it is there.

    Where a column holds several values, a row counts once for each of its own.

    Columns: `column` short, `hash` long, and `rows_k` and `clicks_k` long for each fold k.
    """
    # A row and its click in one number: half as many sums to keep for each value, and to compile.
    seen = F.shiftleft(F.col(LABEL).cast("long"), CLICKS_FROM_BIT) + 1
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
