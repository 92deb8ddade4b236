"""A dataset's rows as a training run gets them, without the run."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from features.schema import Schema
from training import datasets
from training.datasets.progress import Reporter, silent
from training.datasets.source import PROBLEM
from training.parameters import Dataset


def read(
    spark: SparkSession, dataset: Dataset, folder: Path | None = None, report: Reporter = silent
) -> tuple[DataFrame, Schema]:
    """The rows and schema of `open_source`, checked by reading them all once; raises the `DatasetError` that fits."""
    source = datasets.open_source(spark, dataset, folder, report)
    with source.reading():
        source.require_right(source.frame)
    return source.frame.drop(PROBLEM), source.schema
