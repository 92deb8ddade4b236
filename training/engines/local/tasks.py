"""What one process does at a time: everything here can be sent to another one, and says what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from features.schema import Schema
from training.engines import chunks, counting
from training.engines.reading.opened import Piece
from training.engines.selection import Selection
from training.kernels.count import ValueCounts
from training.kernels.kernel import Function
from training.parameters import TrainingParameters


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A piece of a dataset whose rows go, hashed, to the file `target`."""

    piece: Piece
    schema: Schema
    parameters: TrainingParameters
    target: Path


def read(task: Reading) -> Counter[str]:
    """Do it, and say what was counted in reading the rows."""
    found = Counter[str]()

    def batches() -> Iterator[pa.RecordBatch]:
        for block in task.piece.blocks(task.schema, task.parameters):
            found.update(block.found)
            yield block.rows

    chunks.write(task.target, batches())
    return found


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
    """A kernel's function over some rows."""

    rows: Selected
    columns: tuple[str, ...]
    function: Function

    def run(self) -> Iterator[pa.RecordBatch]:
        """What it gives."""
        return self.function(self.rows.batches(self.columns))


def scan(task: Scan) -> list[pa.RecordBatch]:
    """Do it."""
    return list(task.run())


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A kernel's function over some rows, of which a file is made."""

    scan: Scan
    target: Path


def write(task: Writing) -> int:
    """Do it, and say how many rows there are."""
    return chunks.write(task.target, task.scan.run())


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Some columns of rows in files whose values are counted."""

    files: tuple[Path, ...]
    counting: counting.Counting


def counted(task: Counting) -> list[ValueCounts]:
    """The counts of each of the columns."""
    return task.counting.of(chunks.read_all(task.files))
