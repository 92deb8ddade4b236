"""The tasks of worker processes. Everything here can be pickled."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.schema import Schema
from training.engines import chunks, counting
from training.engines.reading.opened import Piece
from training.engines.selection import Selection
from training.kernels.columns import RECORD_HASH
from training.kernels.count import ValueCounts
from training.kernels.kernel import Function


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Read one piece of a dataset, hash its rows, and write them to the file `target`."""

    piece: Piece
    schema: Schema
    target: Path


def read(task: Reading) -> Counter[str]:
    """Run the task; returns what was counted while reading the rows."""
    found = Counter[str]()

    def batches() -> Iterator[pa.RecordBatch]:
        for block in task.piece.blocks(task.schema):
            found.update(block.found)
            yield block.rows

    chunks.write(task.target, batches())
    return found


@dataclass(frozen=True, kw_only=True)
class Rehashing:
    """Give the rows at these `places` of a file, int64[m] ascending, other record `hashes`, int64[m]."""

    file: Path
    places: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.int64]


def rehash(task: Rehashing) -> None:
    """Run the task."""

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in chunks.read(task.file):
            own = slice(*np.searchsorted(task.places, [start, start + len(batch)]))
            hashes = batch.column(RECORD_HASH).to_numpy().copy()
            hashes[task.places[own] - start] = task.hashes[own]
            columns = [pa.array(hashes) if name == RECORD_HASH else batch.column(name) for name in batch.schema.names]
            yield pa.RecordBatch.from_arrays(columns, schema=batch.schema)
            start += len(batch)

    chunks.write(task.file, batches())


@dataclass(frozen=True, kw_only=True)
class Selected:
    """Rows in files."""

    files: tuple[Path, ...]
    selection: Selection

    def batches(self, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """The rows with these columns, in this order."""
        return self.selection.of(chunks.read_all(self.files), columns)


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Run a kernel's function over some rows."""

    rows: Selected
    columns: tuple[str, ...]
    function: Function

    def run(self) -> Iterator[pa.RecordBatch]:
        """The function's batches."""
        return self.function(self.rows.batches(self.columns))


def scan(task: Scan) -> list[pa.RecordBatch]:
    """Run the task; returns all batches."""
    return list(task.run())


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Run a kernel's function over some rows and write the result to `target`."""

    scan: Scan
    target: Path


def write(task: Writing) -> int:
    """Run the task; returns how many rows were written."""
    return chunks.write(task.target, task.scan.run())


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Count the values of some columns over rows in files."""

    files: tuple[Path, ...]
    counting: counting.Counting


def counted(task: Counting) -> list[ValueCounts]:
    """Run the task; returns the counts of each column."""
    return task.counting.of(chunks.read_all(task.files))
