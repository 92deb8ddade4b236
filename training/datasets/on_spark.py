"""The rows of a dataset on Spark."""

from pathlib import Path
from typing import assert_never

from pyspark.sql import DataFrame, SparkSession

from features.schema import CRITEO, Schema
from training.datasets import criteo, tables
from training.datasets.join import read_joined
from training.datasets.layout import parts
from training.datasets.progress import Reporter
from training.datasets.rows import read_rows
from training.datasets.synthetic_rows import generate_rows
from training.parameters import CriteoDataset, Dataset, SyntheticDataset, TablesDataset


def read(spark: SparkSession, dataset: Dataset, folder: Path | None, report: Reporter) -> tuple[DataFrame, Schema]:
    """What `training.datasets.read` promises."""
    match dataset:
        case SyntheticDataset():
            return read_rows(spark, parts(folder)) if folder else generate_rows(spark, dataset), CRITEO
        case CriteoDataset():
            return read_rows(spark, parts(folder) if folder else criteo.fetch(dataset, report)), CRITEO
        case TablesDataset():
            return read_joined(spark, tables.spec_of(dataset, folder), report)
        case _:
            assert_never(dataset)
