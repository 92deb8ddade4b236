"""The rows of a dataset, in pieces."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from features.schema import CRITEO
from recommend.forgotten import NOBODY, Forgotten
from training.datasets.described import tables
from training.datasets.generated import film_files, synthetic
from training.datasets.layout import rows_files
from training.datasets.progress import Reporter
from training.datasets.published import criteo
from training.engines.reading.criteo import open_criteo
from training.engines.reading.opened import Opened, Piece
from training.engines.reading.tables import open_tables
from training.kernels.hashed import Fields
from training.parameters import CriteoDataset, Dataset, FilmsDataset, SyntheticDataset, TablesDataset


def open_source(dataset: Dataset, data: Path | None, report: Reporter, passed_over: Forgotten = NOBODY) -> Opened:
    """The dataset's rows, from its copy in the folder `data` or, if that is None, from its source.

    Tables are read without the rows of users who are `passed_over`.
    """
    match dataset:
        case SyntheticDataset():
            return _open_generated(dataset) if data is None else _of_parts(data)
        case CriteoDataset():
            return open_criteo(criteo.fetch(dataset, report)) if data is None else _of_parts(data)
        case FilmsDataset():
            return open_tables(film_files.spec_of(dataset, data).without(passed_over), report)
        case TablesDataset():
            return open_tables(tables.spec_of(dataset, data).without(passed_over), report)
        case _:
            assert_never(dataset)


def _of_parts(data: Path) -> Opened:
    return open_criteo(rows_files(data))


def _open_generated(dataset: SyntheticDataset) -> Opened:
    """Synthetic rows, generated where they are read: the rows of the files that `synthetic_files` writes."""
    return Opened(
        schema=CRITEO,
        pieces=[
            Piece(fields=partial(_generated, index, rows=dataset.rows, seed=dataset.seed))
            for index in range(synthetic.blocks(dataset.rows))
        ],
        files=[],
        check=lambda _found: None,
    )


def _generated(index: int, *, rows: int, seed: int) -> Iterator[Fields]:
    batch = synthetic.record_batch(synthetic.generate(index, rows=rows, seed=seed))
    yield Fields(
        label=batch.column(CRITEO.label).to_numpy(),
        numeric=[batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in CRITEO.numeric],
        categorical=[batch.column(name).fill_null("") for name in CRITEO.categorical],
    )
