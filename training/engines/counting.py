"""Counts the category values in blocks of prepared rows, a million rows at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import RawRows
from features.hashing import EACH, Several
from features.schema import Schema
from training.engines.selection import Selection, divided
from training.kernels.columns import FOLD, LABEL, PART, raw_columns, raw_rows
from training.kernels.count import ValueCounts, count
from training.kernels.split import PARTS

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
