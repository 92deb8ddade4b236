"""Tasks over files: each task's Python reads its own or, with a switch, gets their contents from Spark.

Python reads parts of files, without copies through Java. The switch is for clusters whose workers' Python can't read
volumes; whether there are any is unknown.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from pyspark.sql.pandas.types import from_arrow_schema

from features.errors import PersonalizationError
from training.engines.spark.store.paths import path_of, to_read
from training.files import held
from training.platform import SWITCH

MOST_BYTES = 2**31 - 1
"""The largest file that Spark's `binaryFile` reads (`spark.sql.sources.binaryFile.maxLength`)."""
ROWS_AT_ONCE = "spark.sql.execution.arrow.maxRecordsPerBatch"
Work = Callable[[int], Iterator[pa.RecordBatch]]
"""What a task does, by its number."""


class FileTooLargeError(PersonalizationError):
    """A file that Spark can't hand over as a whole."""


def delivers(session: SparkSession) -> bool:
    """Whether the switch is on."""
    return session.conf.get(SWITCH, "false") == "true"


def over_files(session: SparkSession, files: Sequence[Collection[Path]], work: Work, schema: pa.Schema) -> DataFrame:
    """The batches of `work` for each task, in order; the nth task reads no others than the nth `files`.

    Raises `FileTooLargeError`.
    """
    types = from_arrow_schema(schema)
    if not all(files) or not delivers(session):
        tasks = len(files)
        return session.range(0, tasks, 1, max(1, tasks)).mapInArrow(partial(_numbered, work=work), types)
    session.conf.set(ROWS_AT_ONCE, "1")  # a batch for Python is one file, not thousands
    given = (_contents(session, task, own) for task, own in enumerate(files))
    return reduce(DataFrame.union, given).mapInArrow(partial(_delivered, work=work), types)


def _contents(session: SparkSession, task: int, files: Collection[Path]) -> DataFrame:
    """The task's files in one partition."""
    for file in files:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise FileTooLargeError(
                f"{file} has {size:,} bytes, and Spark's `binaryFile` reads {MOST_BYTES:,} at most. Divide the dataset "
                "into smaller files, or set `azure.training_binary_files` to false."
            )
    found = session.read.format("binaryFile").load([to_read(file) for file in files])
    return found.select(F.lit(task).alias("task"), "path", "content").coalesce(1)


def _numbered(batches: Iterable[pa.RecordBatch], *, work: Work) -> Iterator[pa.RecordBatch]:
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        yield from work(number)


def _delivered(batches: Iterable[pa.RecordBatch], *, work: Work) -> Iterator[pa.RecordBatch]:
    rows = (tuple(row.values()) for batch in batches for row in batch.to_pylist())
    for task, own in groupby(rows, key=lambda row: row[0]):
        with held({path_of(path): content for _, path, content in own}):
            yield from work(task)
