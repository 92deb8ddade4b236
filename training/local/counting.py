"""Counts of category values: in blocks of prepared rows, a million rows at a time, and tables of them in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import RawRows
from features.hashing import EACH, MISSING_HASH, Several
from features.schema import Schema
from training.kernels.columns import FOLD, LABEL, PART, raw_columns, raw_rows
from training.kernels.count import ValueCounts, count
from training.kernels.encode import FrequentValues
from training.kernels.split import PARTS
from training.local.selection import Selection, divided

COUNTED_ROWS = 1_000_000
"""Roughly how many rows are counted at a time, so that memory grows only with the distinct values."""


@dataclass(frozen=True, kw_only=True)
class Counting:
    """What to count: columns, by their index in the schema's encoded columns, and the rows to count in."""

    selection: Selection
    schema: Schema
    columns: range
    folds: int

    def stored(self) -> list[str]:
        """The stored columns to read."""
        return self.selection.stored((LABEL, PART, FOLD, *raw_columns(self.schema)))

    def of(self, blocks: Iterable[pa.RecordBatch]) -> list[ValueCounts]:
        """The counts of each column; empty if there is no block."""
        found: list[list[ValueCounts]] = [[] for _ in self.columns]
        for some in _groups(blocks):
            group = [_counted_rows(block, self) for block in some]
            clicked, fold = (np.concatenate([getattr(part, name) for part in group]) for name in ("clicked", "fold"))
            for tables, index in zip(found, self.columns, strict=True):
                tables.append(_column(self, index, group, clicked, fold))
        return [ValueCounts.merge(tables) for tables in found if tables]


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(map(len, group)) >= COUNTED_ROWS:
            yield group
            group = []
    if group:
        yield group


@dataclass(frozen=True, kw_only=True)
class _CountedRows:
    """A batch, the mask of its counted rows bool[n], and the labels and folds of those rows, [m] each."""

    rows: RawRows
    chosen: npt.NDArray[np.bool_]
    clicked: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.int32]


def _counted_rows(batch: pa.RecordBatch, task: Counting) -> _CountedRows:
    placed = divided(batch, task.selection.division)
    chosen = np.isin(placed.column(PART).to_numpy(), [PARTS.index(part) for part in task.selection.parts])
    return _CountedRows(
        rows=raw_rows([batch.column(name) for name in raw_columns(task.schema)], task.schema),
        chosen=chosen,
        clicked=placed.column(LABEL).to_numpy()[chosen] == 1,
        fold=placed.column(FOLD).to_numpy()[chosen],
    )


def _column(
    task: Counting,
    index: int,
    rows: list[_CountedRows],
    clicked: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.int32],
) -> ValueCounts:
    values, row_of_each, before = [], [], 0
    for part in rows:
        own = part.rows.values(index)
        if isinstance(own, Several):
            place = np.cumsum(part.chosen) - 1 + before
            kept = part.chosen[own.row]
            values.append(own.hashes[kept])
            row_of_each.append(place[own.row[kept]])
            before += int(part.chosen.sum())
        else:
            values.append(own[part.chosen])
    row = np.concatenate(row_of_each) if row_of_each else EACH
    return count(np.concatenate(values), clicked[row], fold[row], number=task.folds)


Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LocalCounts:
    """A table for each categorical column, in the schema's order."""

    columns: Sequence[ValueCounts]
    folds: int

    def values_by_rows(self, most: int) -> Counts:
        """See `training.protocols.CountTable`."""
        counted = [np.bincount(np.minimum(table.total_rows, most), minlength=most + 1) for table in self.columns]
        return np.reshape(counted, (len(self.columns), most + 1))

    def frequent(self, needed_rows: Counts) -> FrequentValues:
        """See `training.protocols.CountTable`."""
        kept = [table.total_rows >= needed for table, needed in zip(self.columns, needed_rows, strict=True)]
        pairs = list(zip(self.columns, kept, strict=True))
        empty = np.empty((0, self.folds), dtype=np.int64)
        return FrequentValues(
            column=np.repeat(np.arange(len(kept)), [int(own.sum()) for own in kept]).astype(np.int16),
            hash=np.concatenate([empty[:, 0], *(table.hash[own] for table, own in pairs)]),
            rows=np.concatenate([empty, *(table.rows[own] for table, own in pairs)]),
            clicks=np.concatenate([empty, *(table.clicks[own] for table, own in pairs)]),
            rare_rows=np.reshape([table.rows[~own].sum(axis=0) for table, own in pairs], (-1, self.folds)),
            rare_clicks=np.reshape([table.clicks[~own].sum(axis=0) for table, own in pairs], (-1, self.folds)),
        )

    def distinct(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        return int((self.columns[index].hash != MISSING_HASH).sum())

    def missing(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        table = self.columns[index]
        return int(table.total_rows[table.hash == MISSING_HASH].sum())
