"""Datasets: what they are (`describe`), their copy in the lake (`materialize`), their rows on Spark (`open_source`)."""

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from training.datasets.described import tables
from training.datasets.described.spec import load_spec
from training.datasets.errors import required_timestamp
from training.datasets.generated import synthetic_files
from training.datasets.manifest import Manifest
from training.datasets.progress import Reporter, silent
from training.datasets.published import criteo
from training.parameters import CriteoDataset, Dataset, Split, SyntheticDataset, TablesDataset

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from training.datasets.source import Source


def describe(dataset: Dataset) -> Manifest:
    """The dataset's identity, without reading more than its files' changed bytes and the beginning of its tables.

    Raises the `DatasetError` that fits when a file is missing or empty, or tables are not what their description says.
    """
    match dataset:
        case SyntheticDataset():
            return synthetic_files.describe(dataset)
        case CriteoDataset():
            return criteo.describe(dataset)
        case TablesDataset():
            return tables.describe(dataset)
        case _:
            assert_never(dataset)


def check_split(dataset: Dataset, split: Split) -> None:
    """Raise `NoTimestampError` before anything is made when the rows can't be split so, or what `describe` raises."""
    if split is Split.TIME:
        required_timestamp(load_spec(dataset.spec).timestamp if isinstance(dataset, TablesDataset) else None)


def materialize(dataset: Dataset, folder: Path, report: Reporter = silent) -> None:
    """Put the dataset's files into `folder`, whole or not at all; a folder that is there already is left as it is."""
    if folder.exists():
        return
    match dataset:
        case SyntheticDataset():
            synthetic_files.materialize(dataset, folder, report)
        case CriteoDataset():
            criteo.materialize(dataset, folder, report)
        case TablesDataset():
            tables.materialize(dataset, folder, report)
        case _:
            assert_never(dataset)


def open_source(
    spark: "SparkSession", dataset: Dataset, folder: Path | None = None, report: Reporter = silent
) -> "Source":
    """The dataset's rows, from its copy in `folder` or, without one, from its source; they are not read yet.

    Label int 0 or 1, numbers double with null for missing, categories string with "" for missing. `report` learns how
    many rows a join leaves. Raises the `DatasetError` that fits for what shows without reading.
    """
    # Spark takes a second to import, and only reading needs it.
    from training.datasets import on_spark  # noqa: PLC0415 - see above

    return on_spark.open_source(spark, dataset, folder, report)
