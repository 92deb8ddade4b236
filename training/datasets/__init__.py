"""Datasets: their identity (`describe`), their copy in the data lake (`materialize`), and the config of their tables
(`tables_of`), by which engines read all of them alike.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from training.datasets import criteo, tables
from training.datasets.configs import config_of
from training.datasets.configs import tables_of as tables_of
from training.datasets.generated import film_files
from training.datasets.manifest import Manifest
from training.datasets.placed import dataset as placed
from training.datasets.placed.listing import Lake, UnreadableLakeError
from training.errors import required_timestamp
from training.parameters import CriteoDataset, Dataset, FilmsDataset, Split, TablesDataset
from training.tables.files import load_spec
from training.tables.progress import Reporter, silent


def describe(dataset: Dataset, lake: Lake | None = None) -> Manifest:
    """The dataset's manifest. Reads only files that have changed, and the beginning of tables.

    Raises a `DatasetError` if a file is missing or empty, if tables do not match their config, or if files are in a
    container, and there is no `lake`, or it can't list them.
    """
    if found := placed.addresses(dataset):
        if lake is None:
            raise UnreadableLakeError(
                f"The data is at {min(found.values())}, and only `preview`, `up` and the commands of a stack read it "
                "there. Give a local copy."
            )
        return placed.describe(dataset, lake)
    match dataset:
        case FilmsDataset():
            return film_files.describe(dataset)
        case CriteoDataset():
            return criteo.describe(dataset)
        case TablesDataset():
            return tables.describe(dataset.kind, load_spec(dataset.spec), dataset.spec)
        case _:
            assert_never(dataset)


def check_split(dataset: Dataset, split: Split) -> None:
    """Raise `NoTimestampError` if the rows can't be split like this, or what `describe` raises."""
    if split is Split.TIME:
        timestamp = config_of(dataset).timestamp
        required_timestamp(None if timestamp is None else timestamp.column)


def recommends(dataset: Dataset) -> bool:
    """Whether a model of the dataset can recommend: it has keys of users and items."""
    return len(config_of(dataset).entities) > 1


def materialize(
    dataset: Dataset,
    folder: Path,
    report: Reporter = silent,
    *,
    versions: Mapping[str, int] | None = None,
    wanted: str | None = None,
) -> None:
    """Copy the dataset's files into `folder`, completely or not at all; an existing folder is left unchanged.

    `versions` are those of the manifest; without them, Delta tables are copied at their newest. Raises `DatasetError`
    if the files have not the manifest hash `wanted` any more.
    """
    if folder.exists():
        return
    match dataset:
        case FilmsDataset():
            film_files.materialize(dataset, folder, report)
        case CriteoDataset():
            criteo.materialize(dataset, folder, report, wanted)
        case TablesDataset():
            spec = load_spec(dataset.spec).with_tables(version=versions or {})
            tables.materialize(dataset.kind, spec, dataset.spec, folder, report, wanted=wanted)
        case _:
            assert_never(dataset)
