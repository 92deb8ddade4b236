"""Kernels over Spark's rows: they run in each task, and their results are merged on Spark or come to the driver. Jobs
end when the run is interrupted.

Spark keeps prepared rows with one value of bytes for the lists or texts of a row: it would write and read each number
and each text on its own, at ten times the cost.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from py4j.protocol import Py4JError
from pyspark import inheritable_thread_target
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema

from training.kernels.columns import CATEGORIES, NUMBERS, RAW
from training.kernels.hashed import raw, side_by_side
from training.kernels.kernel import Function, Kernel

LISTS = {NUMBERS: pa.float64(), CATEGORIES: pa.int64()}
PACKED = {*LISTS, RAW}
"""The columns that are bytes on Spark."""
_NUMBER, _LENGTH = 8, 4
"""The bytes of a number, and of a text's length."""
_NONE = pa.py_buffer(b"")
Offsets = npt.NDArray[np.int32]


def packed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with their `PACKED` columns as bytes."""
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([_packed(name, batch.column(name)) for name in names], names=names)


def unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with their `PACKED` columns as the kernels know them."""
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([_unpacked(name, batch.column(name)) for name in names], names=names)


def packed_types(types: pa.Schema) -> pa.Schema:
    """The columns of `packed` rows."""
    return pa.schema([field.with_type(pa.binary()) if field.name in PACKED else field for field in types])


def _packed(name: str, column: pa.Array) -> pa.Array:
    if name in LISTS:
        return _of_bytes(column.offsets.to_numpy() * np.int32(_NUMBER), column.values.buffers()[1])
    return _of_texts(column.flatten()) if name == RAW else column


def _unpacked(name: str, column: pa.Array) -> pa.Array:
    if name in LISTS and pa.types.is_binary(column.type):
        ends, content = _parts(column)
        numbers = pa.Array.from_buffers(LISTS[name], int(ends[-1]) // _NUMBER, [None, content])
        return pa.ListArray.from_arrays(pa.array(ends // np.int32(_NUMBER)), numbers)
    return raw(_texts_in(column), len(column)) if name == RAW and pa.types.is_binary(column.type) else column


def _of_texts(columns: list[pa.StringArray]) -> pa.BinaryArray:
    """For each row the number of its texts and their lengths, int32, and then the texts."""
    rows, width = len(columns[0]), len(columns)
    ends, content = _parts(side_by_side([column.fill_null("") for column in columns], pa.string()))
    head = np.column_stack([np.full(rows, width, np.int32), np.diff(ends).reshape(rows, width)])
    heads = _of_bytes(np.arange(rows + 1, dtype=np.int32) * _LENGTH * np.int32(1 + width), pa.py_buffer(head))
    return pc.binary_join_element_wise(heads, _of_bytes(ends[::width].copy(), content), b"")


def _texts_in(rows: pa.BinaryArray) -> list[pa.StringArray]:
    """The columns of the texts in at least one row. What precedes a row's texts is passed over as one more of them."""
    ends, content = _parts(rows)
    found = np.frombuffer(content, np.uint8)
    width = int(found[ends[0] :][:_LENGTH].view(np.int32)[0])
    head = np.arange(_LENGTH * (1 + width))
    lengths = found[ends[:-1, np.newaxis] + head].view(np.int32)
    lengths[:, 0] = len(head)
    offsets = np.concatenate([ends[:1], ends[0] + np.cumsum(lengths, dtype=np.int32)])
    texts = pa.Array.from_buffers(pa.string(), lengths.size, [None, pa.py_buffer(offsets), content])
    first = np.arange(len(rows)) * (1 + width)
    return [texts.take(pa.array(first + number)) for number in range(1, 1 + width)]


def _parts(values: pa.BinaryArray) -> tuple[Offsets, pa.Buffer]:
    _, ends, content = values.buffers()
    return np.frombuffer(ends, np.int32, len(values) + 1, _LENGTH * values.offset), content or _NONE


def _of_bytes(ends: Offsets, content: pa.Buffer | None) -> pa.BinaryArray:
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), content or _NONE])


BATCH = pa.schema([("batch", pa.binary())])
"""A batch as bytes."""


def scanned(rows: DataFrame, kernel: Kernel) -> pa.Table:
    """What the kernel gives over all rows, merged as it says.

    What is not merged comes as bytes: Spark knows fewer types, and is slow with lists.
    """
    if kernel.by:
        sums = [F.sum(name).alias(name) for name in kernel.summed]
        grouped = mapped(rows, kernel).groupBy(*kernel.by).agg(*sums).select(kernel.schema.names)
        return pa.Table.from_pandas(interruptible(grouped, DataFrame.toPandas), kernel.schema, preserve_index=False)
    contents = interruptible(_mapped(rows, kernel, BATCH, of_batch=_as_bytes), DataFrame.toPandas)["batch"]
    tables = (pa.ipc.open_stream(content).read_all().cast(kernel.schema) for content in contents)
    return pa.concat_tables([kernel.schema.empty_table(), *tables])


def mapped(rows: DataFrame, kernel: Kernel) -> DataFrame:
    """What the kernel gives over the rows of each partition, packed."""
    return _mapped(rows, kernel, packed_types(kernel.schema), of_batch=packed)


def _mapped(
    rows: DataFrame, kernel: Kernel, types: pa.Schema, *, of_batch: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> DataFrame:
    shared = rows.sparkSession.sparkContext.broadcast(kernel.function)  # once for each process, and not for each task

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        function: Function = shared.value
        yield from map(of_batch, function(unpacked(batch) for batch in batches if len(batch)))

    inputs = rows.select(*(_plain(rows, name).alias(name) for name in kernel.columns))
    return inputs.mapInArrow(run, from_arrow_schema(types))


def _plain(rows: DataFrame, name: str) -> Column:
    """The column as Arrow knows it: vectors as arrays."""
    if not isinstance(rows.schema[name].dataType, VectorUDT):
        return F.col(name)
    from pyspark.ml.functions import vector_to_array  # noqa: PLC0415 - imports pandas, which no worker needs

    return vector_to_array(F.col(name))


def _as_bytes(batch: pa.RecordBatch) -> pa.RecordBatch:
    content = pa.BufferOutputStream()
    with pa.ipc.new_stream(content, batch.schema) as writer:
        writer.write_batch(batch)
    return pa.RecordBatch.from_pydict({"batch": [content.getvalue().to_pybytes()]}, schema=BATCH)


Found = TypeVar("Found")


def interruptible(frame: DataFrame, job: Callable[[DataFrame], Found]) -> Found:
    """The result of a job on the frame, such as `DataFrame.collect`; a signal or any exception meanwhile cancels it.

    The job runs in another thread. Interrupted in the main thread, PySpark would first notify Java on the connection
    that the job occupies, and Java would only listen after the job.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        running: Future[Found] = thread.submit(inheritable_thread_target(job), frame)
        try:
            return running.result()
        except BaseException:
            with suppress(Py4JError, OSError):  # without Java there are no jobs
                frame.sparkSession.sparkContext.cancelAllJobs()
            raise
