"""Kernels over blobs of rows: they run over the blocks of some groups in each task."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from training.engines.selection import Selection
from training.engines.spark.blobs import unpacked
from training.engines.spark.groups import Group, over
from training.kernels.kernel import Kernel


def mapped(session: SparkSession, groups: Sequence[Group], kernel: Kernel, selection: Selection) -> DataFrame:
    """What the kernel gives over the blocks of each task, not merged."""
    return over(session, groups, partial(_selected, selection=selection, kernel=kernel), kernel.schema)


def blocks(groups: Iterable[Group], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The blocks in these groups with these columns."""
    for group in groups:
        yield from unpacked(group.read(columns).to_batches())


def _selected(groups: Iterable[Group], *, selection: Selection, kernel: Kernel) -> Iterator[pa.RecordBatch]:
    columns = selection.stored(kernel.columns)
    return kernel.function(selection.of(blocks(groups, columns), kernel.columns))
