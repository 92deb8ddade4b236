"""Synthetic rows as files of Criteo's format, and on Spark."""

import multiprocessing
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import csv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

from features.schema import CRITEO
from training.datasets import recipe, synthetic
from training.datasets.layout import part, written_aside
from training.datasets.manifest import WHOLE, Manifest, manifest
from training.datasets.progress import STAGE, Reporter
from training.parameters import SyntheticDataset

BLOCKS_PER_FILE = 10


def describe(dataset: SyntheticDataset) -> Manifest:
    """The manifest of a synthetic dataset: the generator's version and its parameters."""
    return manifest(
        dataset.kind,
        f"{dataset.rows:,} synthetic rows, seed {dataset.seed}, generator version {recipe.VERSION}",
        (),
        generator=recipe.VERSION,
        rows=dataset.rows,
        seed=dataset.seed,
    )


def materialize(dataset: SyntheticDataset, folder: Path, report: Reporter) -> None:
    """Write the rows as tab-separated files into `folder`, with one process per core."""
    last = synthetic.blocks(dataset.rows)
    starts = range(0, last, BLOCKS_PER_FILE)
    with written_aside(folder) as aside:
        write = partial(_write_file, folder=aside, rows=dataset.rows, seed=dataset.seed)
        with multiprocessing.get_context("spawn").Pool(min(len(starts), os.cpu_count() or 1)) as pool:
            done = 0
            for rows in pool.imap_unordered(write, starts):
                done += rows
                report(STAGE, f"{done:,} of {dataset.rows:,} synthetic rows written", done=done, total=dataset.rows)


def read(spark: SparkSession, dataset: SyntheticDataset) -> DataFrame:
    """The rows generated on Spark itself, without a file; the same as in the files."""
    count = synthetic.blocks(dataset.rows)
    generate = partial(_generate, rows=dataset.rows, seed=dataset.seed)
    partitions = min(count, 4 * spark.sparkContext.defaultParallelism)
    return spark.range(0, count, 1, partitions).mapInArrow(generate, _spark_schema())


def _write_file(start: int, *, folder: Path, rows: int, seed: int) -> int:
    path = part(folder, WHOLE, start // BLOCKS_PER_FILE, ".tsv")
    written = 0
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with path.open("wb") as stream:
        for index in range(start, min(start + BLOCKS_PER_FILE, synthetic.blocks(rows))):
            batch = synthetic.record_batch(synthetic.generate(index, rows=rows, seed=seed))
            csv.write_csv(batch, stream, options)
            written += batch.num_rows
    return written


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
