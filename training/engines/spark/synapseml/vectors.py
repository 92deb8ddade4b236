"""Inputs in the layout of Spark's own vectors, so that they are read from Parquet as such.

Spark's function from arrays to vectors boxes every number, and SynapseML would have it do so in each of its passes.
"""

from pathlib import Path

from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.types import StructField, StructType

from training.engines.spark.store.paths import stored

DENSE = 1
"""What Spark calls a dense vector in `VectorUDT`'s field `type`."""
VALUES = "values"
"""The field of `VectorUDT` that has a vector's numbers."""


def stored_as_vectors(frame: DataFrame, name: str, folder: Path) -> DataFrame:
    """`frame`, written to `folder` unless it is there and read from it; `name` is array<double>, then vectors."""
    fields = [StructField(name, VectorUDT()) if field.name == name else field for field in frame.schema.fields]
    return stored(frame.withColumn(name, _dense(F.col(name))), folder, schema=StructType(fields))


def _dense(values: Column) -> Column:
    nothing = F.lit(None)
    return F.struct(
        F.lit(DENSE).cast("tinyint").alias("type"),
        nothing.cast("int").alias("size"),
        nothing.cast("array<int>").alias("indices"),
        values.alias(VALUES),
    )
