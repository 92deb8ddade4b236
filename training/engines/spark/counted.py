"""Count tables on Spark: each column's values with their rows and clicks per fold, partitioned by hash.

A share holds the values of all columns whose hashes are in one range. It is one Spark row with a blob per column:
int64[v, 1 + 2 * folds] of the hashes, ascending, with each one's rows and clicks per fold. Spark shuffles the tasks'
counts by share; other tasks add them up.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from training.engines.counted import LocalCounts
from training.engines.spark.store.blobs import WRITING
from training.engines.spark.store.groups import Group, answers, groups_of
from training.engines.spark.store.paths import stored
from training.kernels.count import ValueCounts
from training.kernels.encode import FrequentValues

Counts = npt.NDArray[np.int64]
Answer = TypeVar("Answer")
SHARE = "_share"
"""The column with the number of the share."""


@dataclass(frozen=True, kw_only=True)
class SparkCounts:
    """The shares in `groups`; see `training.protocols.CountTable`."""

    session: SparkSession
    groups: tuple[Group, ...]
    columns: int
    folds: int

    @classmethod
    def added(cls, parts: DataFrame, *, columns: int, folds: int, folder: Path) -> "SparkCounts":
        """The sums over all `parts` of shares, from one shuffle, as Parquet in `folder` unless it is there already."""
        add = partial(_added, columns=columns, folds=folds)
        table = parts.repartition(SHARE).mapInArrow(add, from_arrow_schema(types_of(columns)))
        groups = groups_of(stored(table, folder, options=WRITING))
        return cls(session=parts.sparkSession, groups=groups, columns=columns, folds=folds)

    def values_by_rows(self, most: int) -> Counts:
        """See `training.protocols.CountTable`."""
        found: Counts = np.sum(self._asked(partial(LocalCounts.values_by_rows, most=most)), axis=0)
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

    def most_frequent(self, index: int, number: int) -> tuple[Counts, Counts]:
        """See `training.protocols.CountTable`."""
        parts = self._asked(partial(LocalCounts.most_frequent, index=index, number=number))
        hashes, rows = np.concatenate(parts, axis=1)
        most = np.lexsort((hashes, -rows))[:number]
        return hashes[most], rows[most]

    @cached_property
    def _summaries(self) -> Counts:
        """Distinct values and missing rows by column, int64[2, c]."""
        found: Counts = np.sum(self._asked(_summarised), axis=0)
        return found

    def _asked(self, ask: Callable[[LocalCounts], Answer]) -> list[Answer]:
        """The answers that `ask` gives for each task's shares."""
        asked = partial(_asked, ask=ask, columns=self.columns, folds=self.folds)
        return answers(self.session, self.groups, asked)


def shares_for(session: SparkSession, groups: Sequence[Group]) -> int:
    """The number of shares for values counted in these groups, so that each task's memory is bounded."""
    return max(2 * session.sparkContext.defaultParallelism, len(groups))


def types_of(columns: int) -> pa.Schema:
    """The Spark columns of a table of shares."""
    return pa.schema([(SHARE, pa.int32()), *((_name(index), pa.binary()) for index in range(columns))])


def shared(tables: Sequence[ValueCounts], shares: int) -> Iterator[pa.RecordBatch]:
    """The tables of all columns, divided into shares."""
    ends = np.linspace(-(2.0**63), 2.0**63, shares + 1)[1:-1].astype(np.int64)
    parts = [np.split(_packed(table), np.searchsorted(table.hash, ends)) for table in tables]
    for number, of_columns in enumerate(zip(*parts, strict=True)):
        yield _row(number, of_columns)


def _row(number: int, packed: Iterable[Counts]) -> pa.RecordBatch:
    blobs = {_name(index): [part.tobytes()] for index, part in enumerate(packed)}
    return pa.RecordBatch.from_pydict({SHARE: [number], **blobs}, schema=types_of(len(blobs)))


def _name(index: int) -> str:
    return f"column_{index}"


def _packed(table: ValueCounts) -> Counts:
    return np.column_stack([table.hash, table.rows, table.clicks])


def _unpacked(packed: Counts, folds: int) -> ValueCounts:
    return ValueCounts(hash=packed[:, 0], rows=packed[:, 1 : 1 + folds], clicks=packed[:, 1 + folds :])


def _array(blob: pa.BinaryScalar, folds: int) -> Counts:
    return np.frombuffer(blob.as_buffer(), dtype=np.int64).reshape(-1, 1 + 2 * folds)


def _added(batches: Iterable[pa.RecordBatch], *, columns: int, folds: int) -> Iterator[pa.RecordBatch]:
    """The sum of several tasks' counts for each share."""
    parts = defaultdict[int, list[list[ValueCounts]]](lambda: [[] for _ in range(columns)])
    for batch in batches:
        for row, number in enumerate(batch.column(SHARE).to_pylist()):
            for index, tables in enumerate(parts[number]):
                tables.append(_unpacked(_array(batch.column(_name(index))[row], folds), folds))
    for number, of_columns in parts.items():
        yield _row(number, [_packed(ValueCounts.merge(tables)) for tables in of_columns])


def _asked(groups: Iterable[Group], *, ask: Callable[[LocalCounts], Answer], columns: int, folds: int) -> Answer:
    return ask(_held(groups, columns=columns, folds=folds))


def _held(groups: Iterable[Group], *, columns: int, folds: int) -> LocalCounts:
    """The values of a few shares."""
    contents = [group.read([_name(index) for index in range(columns)]) for group in groups]
    blobs = ([blob for content in contents for blob in content.column(index)] for index in range(columns))
    return LocalCounts(columns=[_joined(own, folds) for own in blobs], folds=folds)


def _joined(blobs: Iterable[pa.BinaryScalar], folds: int) -> ValueCounts:
    """The values in a column's blobs of different shares."""
    empty = np.empty((0, 1 + 2 * folds), dtype=np.int64)
    every = np.concatenate([empty, *(_array(blob, folds) for blob in blobs)])
    return _unpacked(every[np.argsort(every[:, 0])], folds)


def _summarised(table: LocalCounts) -> Counts:
    indexes = range(len(table.columns))
    return np.array([[table.distinct(index) for index in indexes], [table.missing(index) for index in indexes]])
