"""The category values of blocks of prepared rows, counted a million rows at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.arrays import EACH, Several
from features.encoder import RawRows
from features.schema import Schema
from training.engines.selection import Selection, divided
from training.kernels.columns import FOLD, LABEL, PART, raw_columns, raw_rows
from training.kernels.count import ValueCounts, count
from training.kernels.split import PARTS

COUNTED_ROWS = 1_000_000
"""Rows, about, that are counted at a time. What a process holds then grows with the distinct values alone."""


@dataclass(frozen=True, kw_only=True)
class Counting:
    """The columns whose values are counted, by their index in `Schema.categories`, in the selected rows."""

    selection: Selection
    schema: Schema
    columns: range
    folds: int

    def stored(self) -> list[str]:
        """The columns that have to be read."""
        return self.selection.stored((LABEL, PART, FOLD, *raw_columns(self.schema)))

    def of(self, blocks: Iterable[pa.RecordBatch]) -> list[ValueCounts]:
        """The counts of each of the columns, or nothing where there is no block."""
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
    """Which rows of a batch are counted, bool[n], and label and fold of those, [m] each."""

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
