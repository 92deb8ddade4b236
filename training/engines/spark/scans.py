"""Kernels over blobs of rows: they are sent to each machine once, and run over the blocks of each partition."""

from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from training.engines.selection import Selection
from training.engines.spark.blobs import unpacked
from training.kernels.kernel import Function, Kernel


def mapped(frame: DataFrame, kernel: Kernel, selection: Selection) -> DataFrame:
    """What the kernel gives over the blocks of each partition of `frame`, not merged."""
    blocks = frame.select(*selection.stored(kernel.columns))
    selected = partial(_selected, selection=selection, kernel=kernel)
    return blocks.mapInArrow(sent(blocks, selected), from_arrow_schema(kernel.schema))


def sent(frame: DataFrame, function: Function) -> Function:
    """The function of blocks as one of rows of blobs, sent to each machine once."""
    shared = frame.sparkSession.sparkContext.broadcast(function)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from shared.value(unpacked(batches))

    return run


def _selected(blocks: Iterable[pa.RecordBatch], *, selection: Selection, kernel: Kernel) -> Iterator[pa.RecordBatch]:
    return kernel.function(selection.of(blocks, kernel.columns))
