"""What one process does at a time: everything here can be sent to another one, and says what came of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.schema import Schema
from training.engines.local import chunks
from training.kernels.columns import CATEGORIES, FOLD, LABEL, PART, RECORD_HASH, TIME, VALUES, matrix, several
from training.kernels.count import ValueCounts, count
from training.kernels.hashed import Fields, hashed
from training.kernels.kernel import Function
from training.kernels.split import PARTS, Division, Part, may_be_held_out
from training.parameters import TrainingParameters


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Rows of a dataset that one process reads: `fields` gives them in pieces."""

    fields: Callable[[], Iterable[Fields]]
    schema: Schema
    parameters: TrainingParameters
    target: Path

    def run(self) -> Counter[str]:
        """Write the rows, hashed, to `target`, and say how many "rows" and "clicks" they are, and what else was
        counted in reading them."""
        found = Counter[str]()

        def batches() -> Iterator[pa.RecordBatch]:
            kept = may_be_held_out(self.parameters)
            for fields in self.fields():
                found.update(fields.counted, rows=len(fields), clicks=int(fields.label.sum()))
                yield hashed(fields, self.schema, may_be_held_out=kept)

        chunks.write(self.target, batches())
        return found


def read(reading: Reading) -> Counter[str]:
    """Do it."""
    return reading.run()


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Rows in files: those of the `parts`, or all of them without any.

    Rows that are divided get `PART` and `FOLD` as they are read; encoded ones have their `PART` in the file.
    """

    files: tuple[Path, ...]
    division: Division | None
    parts: tuple[Part, ...]

    def batches(self, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """The rows with these columns, in this order."""
        wanted = list(columns)
        numbers = [PARTS.index(part) for part in self.parts]
        for file in self.files:
            for batch in chunks.read(file):
                rows = _divided(batch, self.division)
                if numbers:
                    chosen = np.isin(rows.column(PART).to_numpy(), numbers)
                    yield rows.select(wanted).filter(pa.array(chosen))
                else:
                    yield rows.select(wanted)


def _divided(batch: pa.RecordBatch, division: Division | None) -> pa.RecordBatch:
    if division is None:
        return batch
    record_hash = batch.column(RECORD_HASH).to_numpy()
    times = batch.column(TIME).to_numpy() if TIME in batch.schema.names else None
    added = {PART: division.parts(record_hash, times), FOLD: division.folds(record_hash)}
    arrays = [*batch.columns, *map(pa.array, added.values())]
    return pa.RecordBatch.from_arrays(arrays, names=[*batch.schema.names, *added])


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A kernel's function over some rows."""

    rows: Selection
    columns: tuple[str, ...]
    function: Function

    def run(self) -> list[pa.RecordBatch]:
        """What it gives."""
        return list(self.function(self.rows.batches(self.columns)))


def scan(task: Scan) -> list[pa.RecordBatch]:
    """Do it."""
    return task.run()


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A kernel's function over some rows, of which a file is made."""

    scan: Scan
    target: Path


def write(task: Writing) -> int:
    """Do it, and say how many rows there are."""
    found = task.scan
    return chunks.write(task.target, found.function(found.rows.batches(found.columns)))


@dataclass(frozen=True, kw_only=True)
class Counting:
    """The columns of some rows whose values are counted, by their index in the schema."""

    rows: Selection
    schema: Schema
    columns: range
    folds: int


COUNTED_ROWS = 1_000_000
"""Rows, about, that are counted at a time. What a process holds then grows with the distinct values alone."""


def counted(task: Counting) -> list[ValueCounts]:
    """The counts of each of the columns."""
    found: list[list[ValueCounts]] = [[] for _ in task.columns]
    for rows in _groups(batch for file in task.rows.files for batch in chunks.read(file)):
        group = [_counted_rows(batch, task.rows) for batch in rows]
        clicked, fold = (np.concatenate([getattr(part, name) for part in group]) for name in ("clicked", "fold"))
        for tables, index in zip(found, task.columns, strict=True):
            tables.append(_column(task, index, group, clicked, fold))
    return [ValueCounts.merge(tables) for tables in found]


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

    batch: pa.RecordBatch
    chosen: npt.NDArray[np.bool_]
    clicked: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.int32]


def _counted_rows(batch: pa.RecordBatch, rows: Selection) -> _CountedRows:
    divided = _divided(batch, rows.division)
    chosen = np.isin(divided.column(PART).to_numpy(), [PARTS.index(part) for part in rows.parts])
    return _CountedRows(
        batch=batch,
        chosen=chosen,
        clicked=divided.column(LABEL).to_numpy()[chosen] == 1,
        fold=divided.column(FOLD).to_numpy()[chosen],
    )


def _column(
    task: Counting,
    index: int,
    rows: list[_CountedRows],
    clicked: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.int32],
) -> ValueCounts:
    if index not in task.schema.several:
        width = len(task.schema.categorical)
        hashes = [matrix(part.batch.column(CATEGORIES), width)[part.chosen, index] for part in rows]
        return count(np.concatenate(hashes), clicked, fold, number=task.folds)
    values, row_of_each, before = [], [], 0
    for part in rows:
        own = several(part.batch.column(VALUES), task.schema)[index]
        place = np.cumsum(part.chosen) - 1 + before
        kept = part.chosen[own.row]
        values.append(own.hashes[kept])
        row_of_each.append(place[own.row[kept]])
        before += int(part.chosen.sum())
    row = np.concatenate(row_of_each)
    return count(np.concatenate(values), clicked[row], fold[row], number=task.folds)
