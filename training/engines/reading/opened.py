"""A dataset's rows before they are read, in pieces that several processes can share."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from features.schema import Schema
from training.datasets.errors import DatasetError
from training.kernels.hashed import Fields, hashed, hashed_fields

Piece = Callable[[], Iterable[Fields]]
"""Reads the rows that are one process's share; malformed rows raise a `DatasetError`."""


def hashed_rows(fields: Fields, schema: Schema) -> tuple[pa.RecordBatch, Counter[str]]:
    """Typed rows, hashed, and what was counted while reading them: "rows", "clicks" and others."""
    found = Counter(fields.counted)
    found.update(rows=len(fields), clicks=int(fields.label.sum()))
    return hashed(fields, schema), found


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Rows in `pieces`, from `files`; `check` raises a `DatasetError` if what was counted over all of them is wrong."""

    schema: Schema
    pieces: Sequence[Piece]
    files: Sequence[Path]
    check: Callable[[Counter[str]], None]
    keys: tuple[str, ...] = ()
    """The columns of the users' and items' keys."""
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The texts that mean missing in a column."""

    @property
    def hashed_fields(self) -> tuple[str, ...]:
        """See `training.protocols.Source`."""
        return hashed_fields(self.schema, self.keys, self.missing)


@contextmanager
def unchanged(files: Sequence[Path]) -> Iterator[None]:
    """Guard a block that reads `files`; raises `DatasetError` if one of them has changed by its end."""
    before = [version(file) for file in files]
    yield
    for file, known in zip(files, before, strict=True):
        if version(file) != known:
            raise DatasetError(f"The file {file} changed while it was read. Run the command again.")


def version(file: Path) -> tuple[int, int]:
    """Size and modification time, which change with the file's content."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns
