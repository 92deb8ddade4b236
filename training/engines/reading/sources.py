"""The rows of a dataset, in pieces."""

from pathlib import Path

from recommend.forgotten import NOBODY, Forgotten
from training.datasets import tables_of
from training.datasets.layout import rows_files
from training.datasets.progress import Reporter
from training.datasets.published import criteo
from training.engines.reading.criteo import open_criteo
from training.engines.reading.opened import Opened
from training.engines.reading.tables import open_tables
from training.parameters import CriteoDataset, Dataset


def criteo_files(dataset: Dataset, data: Path | None, report: Reporter) -> list[Path]:
    """The files of Criteo's rows, in the folder `data` or, if that is None, from their source."""
    if not isinstance(dataset, CriteoDataset):
        raise TypeError(f"{dataset.kind} has tables")
    return list(criteo.fetch(dataset, report) if data is None else rows_files(data))


def open_source(dataset: Dataset, data: Path | None, report: Reporter, passed_over: Forgotten = NOBODY) -> Opened:
    """The dataset's rows, from its copy in the folder `data` or, if that is None, from its source.

    Tables are read without the rows of users who are `passed_over`.
    """
    spec = tables_of(dataset, data, passed_over)
    return open_criteo(criteo_files(dataset, data, report)) if spec is None else open_tables(spec, report)
