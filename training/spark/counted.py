"""Count tables on Spark: each column's values with their rows and clicks by fold, as Parquet.

A share has the counts of all columns' values whose hashes are in one range, pickled. Of rows with a number for each
fold, Spark would handle every number on its own, at several times the cost.
"""

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from features.schema import Schema
from training.kernels.count import ValueCounts
from training.kernels.encode import FrequentValues
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS
from training.local.counting import Counting, LocalCounts
from training.local.selection import Selection
from training.spark.paths import stored
from training.spark.scans import mapped, scanned

Counts = npt.NDArray[np.int64]
SHARE, COUNTS = "share", "counts"
SHARED = pa.schema([(SHARE, pa.int32()), (COUNTS, pa.binary())])
SHARES_OF_A_SLOT = 4
"""A task holds one share of all values at a time."""
ANSWERS = pa.schema([("answer", pa.binary())])
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class SparkCounts:
    """The shares in `table`, with the columns of `SHARED`; see `training.protocols.CountTable`."""

    table: DataFrame
    columns: int

    @classmethod
    def of(cls, rows: DataFrame, schema: Schema, *, folds: int, folder: Path) -> "SparkCounts":
        """The counts over divided rows, as Parquet in `folder` unless they are there already.

        One task per slot counts its rows, and one shuffle brings together what the tasks counted of a share.
        """
        width, slots = len(schema.categories), rows.sparkSession.sparkContext.defaultParallelism
        counting = Counting(selection=Selection(parts=PARTS), schema=schema, columns=range(width), folds=folds)
        parts, shares = rows.select(counting.stored()).coalesce(slots), SHARES_OF_A_SLOT * slots
        count = partial(_counted, counting=counting, shares=shares)
        counted = mapped(parts, Kernel(columns=tuple(parts.columns), schema=SHARED, function=count))
        added = Kernel(columns=tuple(SHARED.names), schema=SHARED, function=_added)
        return cls(table=stored(mapped(counted.repartition(shares, SHARE), added), folder), columns=width)

    def values_by_rows(self, most: int) -> Counts:
        """See `training.protocols.CountTable`."""
        found = np.zeros((self.columns, most + 1), np.int64)
        for column, rows, values in self._asked(partial(_values_by_rows, most=most)):
            found[column, rows] += values
        return found

    def frequent(self, needed_rows: Counts) -> FrequentValues:
        """See `training.protocols.CountTable`; rare values do not reach the driver."""
        parts = self._asked(partial(LocalCounts.frequent, needed_rows=needed_rows))
        column, hashes = (np.concatenate([getattr(part, name) for part in parts]) for name in ("column", "hash"))
        order = np.lexsort((hashes, column))
        return FrequentValues(
            column=column[order],
            hash=hashes[order],
            rows=np.concatenate([part.rows for part in parts])[order],
            clicks=np.concatenate([part.clicks for part in parts])[order],
            rare_rows=np.sum([part.rare_rows for part in parts], axis=0),
            rare_clicks=np.sum([part.rare_clicks for part in parts], axis=0),
        )

    def distinct(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        return int(self._summaries[0, index])

    def missing(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        return int(self._summaries[1, index])

    @cached_property
    def _summaries(self) -> Counts:
        """Distinct values and missing rows by column, int64[2, c]."""
        found: Counts = np.sum(self._asked(_summarised), axis=0)
        return found

    def _asked(self, ask: Callable[[LocalCounts], Answer]) -> list[Answer]:
        """What `ask` says of each share."""
        kernel = Kernel(columns=(COUNTS,), schema=ANSWERS, function=partial(_answered, ask=ask))
        answers = scanned(self.table, kernel).column(0)
        return [pickle.loads(answer.as_buffer()) for answer in answers]  # noqa: S301 - this run's own tasks gave them


def shared(counts: LocalCounts, shares: int) -> Iterator[pa.RecordBatch]:
    """The counts, divided into shares."""
    ends = np.linspace(-(2.0**63), 2.0**63, shares + 1)[1:-1].astype(np.int64)
    cuts = [(0, *np.searchsorted(table.hash, ends), len(table)) for table in counts.columns]
    for number in range(shares):
        own = [slice(*cut[number : number + 2]) for cut in cuts]
        columns = [
            ValueCounts(hash=table.hash[part], rows=table.rows[part], clicks=table.clicks[part])
            for table, part in zip(counts.columns, own, strict=True)
        ]
        yield _share(number, LocalCounts(columns=columns, folds=counts.folds))


def _share(number: int, counts: LocalCounts) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({SHARE: [number], COUNTS: [pickle.dumps(counts)]}, schema=SHARED)


def _held(share: pa.BinaryScalar) -> LocalCounts:
    found: LocalCounts = pickle.loads(share.as_buffer())  # noqa: S301 - a task of this run wrote it
    return found


def _counted(batches: Iterable[pa.RecordBatch], *, counting: Counting, shares: int) -> Iterator[pa.RecordBatch]:
    if found := counting.of(batches):
        yield from shared(LocalCounts(columns=found, folds=counting.folds), shares)


def _added(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The sum of several tasks' counts of each share."""
    found = defaultdict[int, list[LocalCounts]](list)
    for batch in batches:
        for number, share in zip(batch.column(SHARE).to_pylist(), batch.column(COUNTS), strict=True):
            found[number].append(_held(share))
    for number, parts in found.items():
        columns = [ValueCounts.merge(tables) for tables in zip(*(part.columns for part in parts), strict=True)]
        yield _share(number, LocalCounts(columns=columns, folds=parts[0].folds))


def _answered(batches: Iterable[pa.RecordBatch], *, ask: Callable[[LocalCounts], object]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        answers = [pickle.dumps(ask(_held(share))) for share in batch.column(COUNTS)]
        yield pa.RecordBatch.from_pydict({"answer": answers}, schema=ANSWERS)


def _values_by_rows(counts: LocalCounts, *, most: int) -> tuple[Counts, Counts, Counts]:
    """Where there are values, and how many."""
    found = counts.values_by_rows(most)
    column, rows = np.nonzero(found)
    return column, rows, found[column, rows]


def _summarised(counts: LocalCounts) -> Counts:
    indexes = range(len(counts.columns))
    return np.array([[counts.distinct(index) for index in indexes], [counts.missing(index) for index in indexes]])
