"""What Spark has stored, read by the tasks themselves, a row group at a time.

On its way through Java each blob would be copied half a dozen times, into memory that Java keeps. Which files are whole
is Spark's to say.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from training.engines.spark.interruptible import interruptible
from training.engines.spark.store.paths import path_of

TASKS_OF_A_SLOT = 4
"""Tasks for each that runs at a time: what one of them takes longer, the others make good."""
LOOKED_AT_ONCE = 16
"""Files whose last bytes are read at a time: on a volume, each waits for an answer."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A row group of a Parquet file that every machine sees."""

    file: Path
    number: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Its rows with these columns, in the order of the file's."""
        with parquet.ParquetFile(self.file) as file:
            return file.read_row_group(self.number, columns=list(columns), use_threads=False)


Function = Callable[[Iterable[Group]], Iterator[pa.RecordBatch]]
"""What is done to some groups by one task."""
Answer = TypeVar("Answer")
ANSWER = pa.schema([("answer", pa.binary())])
"""What a task answers, pickled, as a table of Spark's."""


def groups_of(stored: DataFrame) -> tuple[Group, ...]:
    """The groups of what is stored, in the order of the tasks that wrote them."""
    files = sorted(path_of(name) for name in stored.inputFiles())
    with ThreadPoolExecutor(LOOKED_AT_ONCE) as pool:
        found = pool.map(lambda file: parquet.read_metadata(file).num_row_groups, files)
        numbers = zip(files, map(range, found), strict=True)
        return tuple(Group(file=file, number=number) for file, own in numbers for number in own)


def rows_beside(groups: Iterable[Group], columns: Sequence[str]) -> list[list[dict[str, Any]]]:
    """A few small columns of the rows of each group, here."""
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
    """What the function, which each machine gets once, gives over the groups of each task, in their order."""
    tasks = max(1, min(len(groups), tasks_of_a_slot * session.sparkContext.defaultParallelism))
    bounds = np.linspace(0, len(groups), tasks + 1).astype(int).tolist()
    shared = session.sparkContext.broadcast((function, tuple(groups), bounds))

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        work, of_all, ends = shared.value
        for number in (number for batch in batches for number in batch.column(0).to_pylist()):
            yield from work(of_all[ends[number] : ends[number + 1]])

    return session.range(0, tasks, 1, tasks).mapInArrow(run, from_arrow_schema(schema))


def answers(
    session: SparkSession, groups: Sequence[Group], function: Callable[[Iterable[Group]], Answer]
) -> list[Answer]:
    """What the function says of the groups of each task, one a slot, in their order; Java does not look into it."""
    return answers_in(answering(session, groups, function))


def answering(session: SparkSession, groups: Sequence[Group], function: Callable[[Iterable[Group]], Any]) -> DataFrame:
    """The same, where Spark has it: each one pickled."""
    return over(session, groups, partial(_answered, function=function), ANSWER, tasks_of_a_slot=1)


def answers_in(given: DataFrame) -> list[Any]:
    """What tasks have answered, here. Arrow brings it as it is; `collect` would have Java make a text of the bytes."""
    return unpickled(interruptible(given, DataFrame.toPandas)["answer"])


def answer(content: object) -> pa.RecordBatch:
    """A task's answer."""
    return pa.RecordBatch.from_pydict({"answer": [pickle.dumps(content)]}, schema=ANSWER)


def unpickled(answers: Iterable[bytes]) -> list[Any]:
    """What is in some answers."""
    return [pickle.loads(content) for content in answers]  # noqa: S301 - what a task of this run gave


def _answered(groups: Iterable[Group], *, function: Callable[[Iterable[Group]], object]) -> Iterator[pa.RecordBatch]:
    yield answer(function(groups))
