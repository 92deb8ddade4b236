"""Synthetic rows generated on Spark itself, without a file."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

from features.schema import CRITEO
from training.datasets.generated import synthetic
from training.engines.spark.reading.source import PROBLEM, Source
from training.parameters import SyntheticDataset


def open_generated(spark: SparkSession, dataset: SyntheticDataset) -> Source:
    """The same rows as in the files that `synthetic_files` writes; there is nothing to check."""
    count = synthetic.blocks(dataset.rows)
    generate = partial(_generate, rows=dataset.rows, seed=dataset.seed)
    partitions = min(count, 4 * spark.sparkContext.defaultParallelism)
    rows = spark.range(0, count, 1, partitions).mapInArrow(generate, _spark_schema())
    right = rows.withColumn(PROBLEM, F.lit(False))  # noqa: FBT003 - a literal of Spark, not a flag
    return Source(frame=right, schema=CRITEO, explain=lambda: None, check=lambda _found: None)


def _generate(batches: Iterator[pa.RecordBatch], *, rows: int, seed: int) -> Iterator[pa.RecordBatch]:
    for indices in batches:
        for index in indices.column(0).to_pylist():
            yield _for_spark(synthetic.record_batch(synthetic.generate(index, rows=rows, seed=seed)))


def _for_spark(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A generated batch with the types that `read` promises: int32, double, and "" for a missing category."""
    columns = [batch.column(0).cast(pa.int32())]
    columns += [batch.column(name).cast(pa.float64()) for name in CRITEO.numeric]
    columns += [batch.column(name).fill_null("") for name in CRITEO.categorical]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _spark_schema() -> StructType:
    return StructType(
        [
            StructField(CRITEO.label, IntegerType()),
            *(StructField(name, DoubleType()) for name in CRITEO.numeric),
            *(StructField(name, StringType()) for name in CRITEO.categorical),
        ]
    )
