"""The rows of a dataset on Spark."""

from pathlib import Path
from typing import assert_never

from pyspark.sql import SparkSession

from training.datasets.described import tables
from training.datasets.layout import partition_of, parts
from training.datasets.progress import Reporter
from training.datasets.published import criteo
from training.engines.spark.reading.criteo import open_rows
from training.engines.spark.reading.join import open_joined
from training.engines.spark.reading.source import Source
from training.engines.spark.reading.synthetic import open_generated
from training.parameters import CriteoDataset, Dataset, SyntheticDataset, TablesDataset


def open_source(spark: SparkSession, dataset: Dataset, folder: Path | None, report: Reporter) -> Source:
    """What `training.datasets.open_source` promises."""
    match dataset:
        case SyntheticDataset():
            return open_rows(spark, parts(folder)) if folder else open_generated(spark, dataset)
        case CriteoDataset():
            if folder is None:
                found = criteo.fetch(dataset, report)
            else:
                found = [(file, partition_of(file)) for file in parts(folder)]
            return open_rows(spark, [file for file, _ in found], [day for _, day in found])
        case TablesDataset():
            return open_joined(spark, tables.spec_of(dataset, folder), report)
        case _:
            assert_never(dataset)
