"""Datasets: their identity (`describe`), and their copy in the data lake (`materialize`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from recommend.forgotten import NOBODY, Forgotten
from training.datasets.described import tables
from training.datasets.described.spec import TablesSpec, read_spec
from training.datasets.errors import required_timestamp
from training.datasets.generated import film_files
from training.datasets.manifest import Manifest
from training.datasets.placed import dataset as placed
from training.datasets.placed.listing import Lake, UnreadableLakeError
from training.datasets.progress import Reporter, silent
from training.datasets.published import criteo
from training.parameters import CriteoDataset, Dataset, FilmsDataset, Split, TablesDataset


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
            return tables.describe(dataset)
        case _:
            assert_never(dataset)


def check_split(dataset: Dataset, split: Split) -> None:
    """Raise `NoTimestampError` if the rows can't be split like this, or what `describe` raises."""
    if split is Split.TIME and not isinstance(dataset, FilmsDataset):
        timestamp = read_spec(dataset.spec).timestamp if isinstance(dataset, TablesDataset) else None
        required_timestamp(None if timestamp is None else timestamp.column)


def key_columns(dataset: Dataset, data: Path | None) -> tuple[str, ...]:
    """The columns of the interactions with the keys of users and items, if it has any; `data` is the dataset's copy."""
    spec = tables_of(dataset, data)
    return () if spec is None else tuple(one.foreign_key for one in spec.entities.values())


def user_column(dataset: Dataset, data: Path | None) -> str | None:
    """The column of the interactions with the keys of users, if it has one; `data` is the dataset's copy."""
    spec = tables_of(dataset, data)
    return None if spec is None or spec.users is None else spec.users.foreign_key


def tables_of(dataset: Dataset, data: Path | None, passed_over: Forgotten = NOBODY) -> TablesSpec | None:
    """The config of a dataset of tables, None for another one; `data` is the dataset's copy, if there is one.

    The rows of users who are `passed_over` are not read.
    """
    match dataset:
        case FilmsDataset():
            return film_files.spec_of(dataset, data).without(passed_over)
        case TablesDataset():
            return tables.spec_of(dataset, data).without(passed_over)
        case _:
            return None


def recommends(dataset: Dataset) -> bool:
    """Whether a model of the dataset can recommend: it has keys of users and items."""
    match dataset:
        case FilmsDataset():
            return True
        case TablesDataset():
            spec = read_spec(dataset.spec)
            return spec.users is not None and spec.items is not None
        case _:
            return False


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
            tables.materialize(dataset, folder, report, versions or {}, wanted)
        case _:
            assert_never(dataset)
