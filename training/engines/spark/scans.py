"""Kernels over Spark's rows: they run in each task, and their results are merged on Spark or come to the driver. Jobs
end when the run is interrupted.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import inheritable_thread_target
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema

from training.engines.spark.packed import packed, packed_types, unpacked
from training.kernels.kernel import Function, Kernel

BATCH = pa.schema([("batch", pa.binary())])
"""A batch as bytes."""


def scanned(rows: DataFrame, kernel: Kernel) -> pa.Table:
    """What the kernel gives over all rows, merged as it says.

    What is not merged comes as bytes: Spark knows fewer types, and is slow with lists.
    """
    if kernel.by:
        merged = [getattr(F, how)(name).alias(name) for name, how in kernel.merged.items()]
        grouped = mapped(rows, kernel).groupBy(*kernel.by).agg(*merged).select(kernel.schema.names)
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
