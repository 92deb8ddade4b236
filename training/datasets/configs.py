"""The config of a dataset's tables, whatever its kind."""

from pathlib import Path
from typing import assert_never

from recommend.forgotten import NOBODY, Forgotten
from training.config import TablesSpec, read_spec
from training.datasets import criteo
from training.datasets.generated import film_files
from training.datasets.tables import load_copy
from training.parameters import CriteoDataset, Dataset, FilmsDataset, TablesDataset
from training.tables.files import load_spec
from training.tables.progress import Reporter, silent


def config_of(dataset: Dataset) -> TablesSpec:
    """The config with paths and addresses as they are given; nothing of the data is read."""
    match dataset:
        case FilmsDataset():
            return TablesSpec.model_validate(film_files.CONFIG)
        case CriteoDataset():
            return criteo.config(Path(dataset.path))
        case TablesDataset():
            return read_spec(dataset.spec)
        case _:
            assert_never(dataset)


def tables_of(
    dataset: Dataset, data: Path | None, passed_over: Forgotten = NOBODY, report: Reporter = silent
) -> TablesSpec:
    """The config of the dataset's copy in the folder `data` or, if that is None, of its source, which is generated or
    downloaded if need be. The rows of users who are `passed_over` are not read.
    """
    if data is not None:
        return load_copy(data).without(passed_over)
    match dataset:
        case FilmsDataset():
            return film_files.spec_of(dataset).without(passed_over)
        case CriteoDataset():
            return criteo.spec_of(dataset, report)
        case TablesDataset():
            return load_spec(dataset.spec).without(passed_over)
        case _:
            assert_never(dataset)
