"""Kernels over blobs of rows: they run over the blocks of some groups in each task, and their results are merged here.

Java moves the results as blobs; the kernel says how they add up.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from training.engines.selection import Selection
from training.engines.spark.store.blobs import unpacked
from training.engines.spark.store.groups import ANSWER, Function, Group, answer, answering, answers_in, unpickled
from training.kernels.kernel import Kernel

ADDED_AT_ONCE = 32
"""How many tasks' results are merged in one place: a kernel's counts can be ten megabytes per task."""


def merged(session: SparkSession, groups: tuple[Group, ...], function: Function, kernel: Kernel) -> pa.Table:
    """The kernel's merged result over all rows; `function` runs it over the rows of some groups."""
    given = answering(session, groups, partial(_given, function=function, kernel=kernel))
    places = session.sparkContext.defaultParallelism // ADDED_AT_ONCE
    if kernel.by and places > 1:
        add = partial(_added, kernel=kernel)
        given = given.repartition(places).mapInArrow(add, from_arrow_schema(ANSWER))
    return kernel.merge(pa.concat_tables([kernel.schema.empty_table(), *answers_in(given)]))


def running(kernel: Kernel, selection: Selection) -> Function:
    """A function that runs the kernel over the selected rows of some groups."""
    return partial(_run, selection=selection, kernel=kernel)


def blocks(groups: Iterable[Group], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The blocks in these groups with these columns."""
    for group in groups:
        yield from unpacked(group.read(columns).to_batches())


def _run(groups: Iterable[Group], *, kernel: Kernel, selection: Selection) -> Iterator[pa.RecordBatch]:
    columns = selection.stored(kernel.columns)
    return kernel.function(selection.of(blocks(groups, columns), kernel.columns))


def _given(groups: Iterable[Group], *, function: Function, kernel: Kernel) -> pa.Table:
    return pa.Table.from_batches(function(groups), kernel.schema)


def _added(batches: Iterable[pa.RecordBatch], *, kernel: Kernel) -> Iterator[pa.RecordBatch]:
    given = [table for batch in batches for table in unpickled(batch.column(0).to_pylist())]
    if given:
        yield answer(kernel.merge(pa.concat_tables(given)))
