"""Kernels over blobs of rows: they run over the blocks of some groups in each task."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa

from training.engines.selection import Selection
from training.engines.spark.store.blobs import unpacked
from training.engines.spark.store.groups import Function, Group
from training.kernels.kernel import Kernel


def running(kernel: Kernel, selection: Selection) -> Function:
    """What runs the kernel over the selected rows of some groups."""
    return partial(_run, selection=selection, kernel=kernel)


def blocks(groups: Iterable[Group], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The blocks in these groups with these columns."""
    for group in groups:
        yield from unpacked(group.read(columns).to_batches())


def _run(groups: Iterable[Group], *, kernel: Kernel, selection: Selection) -> Iterator[pa.RecordBatch]:
    columns = selection.stored(kernel.columns)
    return kernel.function(selection.of(blocks(groups, columns), kernel.columns))
