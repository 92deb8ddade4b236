"""The rows of a dataset, in pieces."""

from pathlib import Path
from typing import assert_never

from training.datasets.described import tables
from training.datasets.layout import partition_of, parts
from training.datasets.progress import Reporter
from training.datasets.published import criteo
from training.engines.reading.criteo import open_criteo
from training.engines.reading.opened import Opened
from training.engines.reading.synthetic import open_generated
from training.engines.reading.tables import open_tables
from training.parameters import CriteoDataset, Dataset, SyntheticDataset, TablesDataset


def open_source(dataset: Dataset, data: Path | None, report: Reporter) -> Opened:
    """The dataset's rows, from its copy in the folder `data` or, without one, from its source."""
    match dataset:
        case SyntheticDataset():
            return open_generated(dataset) if data is None else _of_parts(data)
        case CriteoDataset():
            return open_criteo(criteo.fetch(dataset, report)) if data is None else _of_parts(data)
        case TablesDataset():
            return open_tables(tables.spec_of(dataset, data), report)
        case _:
            assert_never(dataset)


def _of_parts(data: Path) -> Opened:
    return open_criteo([(file, partition_of(file)) for file in parts(data)])
