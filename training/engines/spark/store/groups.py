"""Stored blobs, read by the tasks themselves, one Parquet row group at a time.

Through Java each blob would be copied half a dozen times, into memory that Java keeps. Spark still decides which files
are complete.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession

from training.engines.spark.interruptible import interruptible
from training.engines.spark.store.delivered import over_files
from training.engines.spark.store.paths import path_of
from training.files import source

TASKS_OF_A_SLOT = 4
"""Tasks per slot, so that slow tasks are balanced by others."""
LOOKED_AT_ONCE = 16
"""How many files are read at a time; on a volume each read waits for the network."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A row group of a Parquet file on shared storage."""

    file: Path
    number: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Its rows with these columns, in the file's order."""
        with parquet.ParquetFile(source(self.file)) as file:
            return file.read_row_group(self.number, columns=list(columns), use_threads=False)


Function = Callable[[Iterable[Group]], Iterator[pa.RecordBatch]]
"""What one task does with its groups."""
Answer = TypeVar("Answer")
ANSWER = pa.schema([("answer", pa.binary())])
"""The Spark columns of tasks' pickled answers."""


def groups_of(stored: DataFrame) -> tuple[Group, ...]:
    """The row groups of a stored frame, in the order of the tasks that wrote them."""
    files = sorted(path_of(name) for name in stored.inputFiles())
    with ThreadPoolExecutor(LOOKED_AT_ONCE) as pool:
        found = pool.map(lambda file: parquet.read_metadata(file).num_row_groups, files)
        numbers = zip(files, map(range, found), strict=True)
        return tuple(Group(file=file, number=number) for file, own in numbers for number in own)


def rows_beside(groups: Iterable[Group], columns: Sequence[str]) -> list[list[dict[str, Any]]]:
    """A few small columns of each group's rows, read on the driver."""
    with ThreadPoolExecutor(LOOKED_AT_ONCE) as pool:
        return list(pool.map(lambda group: group.read(columns).to_pylist(), groups))


def over(
    session: SparkSession,
    groups: Sequence[Group],
    function: Function,
    schema: pa.Schema,
    *,
    tasks_of_a_slot: int = TASKS_OF_A_SLOT,
) -> DataFrame:
    """The function's batches over each task's groups, in order; the function is broadcast once."""
    tasks = max(1, min(len(groups), tasks_of_a_slot * session.sparkContext.defaultParallelism))
    bounds = np.linspace(0, len(groups), tasks + 1).astype(int).tolist()
    shared = session.sparkContext.broadcast((function, tuple(groups), bounds))

    def run(number: int) -> Iterator[pa.RecordBatch]:
        work, of_all, ends = shared.value
        yield from work(of_all[ends[number] : ends[number + 1]])

    files = [{group.file for group in groups[start:end]} for start, end in pairwise(bounds)]
    return over_files(session, files, run, schema)


def answers(
    session: SparkSession, groups: Sequence[Group], function: Callable[[Iterable[Group]], Answer]
) -> list[Answer]:
    """The function's answer for the groups of each task, one task per slot, in order."""
    return answers_in(answering(session, groups, function))


def answering(session: SparkSession, groups: Sequence[Group], function: Callable[[Iterable[Group]], Any]) -> DataFrame:
    """The same as a Spark frame of pickled answers."""
    return over(session, groups, partial(_answered, function=function), ANSWER, tasks_of_a_slot=1)


def answers_in(given: DataFrame) -> list[Any]:
    """The tasks' answers on the driver, by Arrow; `collect` would have Java turn the bytes into text."""
    return unpickled(interruptible(given, DataFrame.toPandas)["answer"])


def answer(content: object) -> pa.RecordBatch:
    """A task's answer."""
    return pa.RecordBatch.from_pydict({"answer": [pickle.dumps(content)]}, schema=ANSWER)


def unpickled(answers: Iterable[bytes]) -> list[Any]:
    """The unpickled answers."""
    return [pickle.loads(content) for content in answers]  # noqa: S301 - what a task of this run gave


def _answered(groups: Iterable[Group], *, function: Callable[[Iterable[Group]], object]) -> Iterator[pa.RecordBatch]:
    yield answer(function(groups))
