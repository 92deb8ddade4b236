"""Synthetic rows, generated where they are read: the same ones as in the files that `synthetic_files` writes."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from features.schema import CRITEO
from training.datasets.generated import synthetic
from training.datasets.manifest import WHOLE
from training.engines.reading.opened import Opened, Piece
from training.kernels.hashed import Fields
from training.parameters import SyntheticDataset


def open_generated(dataset: SyntheticDataset) -> Opened:
    """The rows, of which there is nothing to check."""
    return Opened(
        schema=CRITEO,
        pieces=[
            Piece(day=WHOLE, fields=partial(_block, index, rows=dataset.rows, seed=dataset.seed))
            for index in range(synthetic.blocks(dataset.rows))
        ],
        files=[],
        check=lambda _found: None,
    )


def _block(index: int, *, rows: int, seed: int) -> Iterator[Fields]:
    batch = synthetic.record_batch(synthetic.generate(index, rows=rows, seed=seed))
    yield Fields(
        label=batch.column(CRITEO.label).to_numpy(),
        numeric=[batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in CRITEO.numeric],
        categorical=[batch.column(name).fill_null("") for name in CRITEO.categorical],
    )
