"""Snapshots: SQLite files that are made aside, renamed into place, and then only read.

They may hold personal data, so only their owner can read them.
"""

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.errors import PersonalizationError
from features.files import private_folder, written_aside

FOLDER = "snapshots"
"""The folder of the snapshots that a training run made, in that of its output."""
OWN_PAGES_KIB = 2_000
"""What a connection keeps in memory of its own. The system keeps pages for all workers."""
VERSION_DIGITS = 12
_META = "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"


class SnapshotError(PersonalizationError):
    """A snapshot that cannot be written or read."""


class Writer:
    """A snapshot that is being written: its connection, and a hash of what is in it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._hash = hashlib.sha256()

    def seen(self, *parts: bytes) -> None:
        """Let the version depend on these parts of a row."""
        self._hash.update(b"%d " % len(parts) + b" ".join(b"%d" % len(part) for part in parts) + b"".join(parts))

    def meta(self, name: str, value: str | bytes | int) -> None:
        """Write a fact about the whole snapshot."""
        self.connection.execute("INSERT INTO meta VALUES (?, ?)", (name, value))

    @property
    def version(self) -> str:
        """12 hexadecimal digits that depend on the content."""
        return self._hash.hexdigest()[:VERSION_DIGITS]


@contextmanager
def written(target: Path, kind: str, tables: str, *, form: int = 1) -> Iterator[Writer]:
    """A snapshot of a `kind` that replaces `target` when the body ends; after an error nothing has changed.

    `tables` is the SQL that creates its tables, `form` their format's number. Raises `SnapshotError` if the disk is
    full or cannot be written.
    """
    with writing(target):
        private_folder(target.parent)
        with written_aside(target) as aside:
            os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            connection = sqlite3.connect(aside, isolation_level=None)
            try:
                connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_META} {tables} BEGIN")
                writer = Writer(connection)
                yield writer
                writer.meta("kind", kind)
                writer.meta("format", form)
                writer.meta("version", writer.version)
                connection.execute("COMMIT")
            finally:
                connection.close()


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raise `SnapshotError` if the disk is full or cannot be written while the body replaces `target`."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise SnapshotError(f"{target} cannot be written: {error}. What was there is unchanged.") from error


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let nothing else that asks change the file `target` during the block; readers need not ask."""
    private_folder(target.parent)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in {*target.parent.glob(f".{target.name}.*")} - {Path(lock.name)}:
            left.unlink()  # by a process that was killed while it wrote
        yield


class Snapshot:
    """An open snapshot. It stays readable when another one replaces its file."""

    def __init__(self, file: Path, kind: str, newest: int = 1) -> None:
        """Raises `SnapshotError` if the file is gone, of another kind, of a format that is newer than the `newest` one,
        cut short, or no snapshot.
        """
        self._file = file
        try:
            # `immutable`, since nothing writes to the file: no locks, and no look at its size before each query. It is
            # not mapped into memory, because a worker that reads from a mapped file that was cut short is killed.
            self._connection = sqlite3.connect(
                f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            self._connection.execute(f"PRAGMA cache_size = -{OWN_PAGES_KIB}")
            self.meta = dict(self._connection.execute("SELECT name, value FROM meta"))
            pages, page_bytes = (self.one(f"PRAGMA {name}")[0] for name in ("page_count", "page_size"))
            complete = file.stat().st_size == pages * page_bytes
        except (OSError, sqlite3.Error) as error:
            raise SnapshotError(f"The snapshot {file} cannot be read: {error}. Make it again.") from error
        if self.meta.get("kind") != kind or not complete:
            raise SnapshotError(f"{file} is not a complete snapshot of {kind}. Make it again.")
        if self.meta.get("format") not in range(1, newest + 1):
            raise SnapshotError(
                f"The snapshot {file} has format {self.meta.get('format')}, but this code reads none above {newest}. "
                "Make it again with this code."
            )
        self.version = str(self.meta["version"])
        """The version by its content."""

    def one(self, query: str, *values: object) -> tuple[Any, ...]:
        """The first row that `query` finds, empty if there is none; raises `SnapshotError` if the file was altered."""
        return next(self.all(query, *values), ())

    def all(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows that `query` finds; raises `SnapshotError` if the file was altered."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise SnapshotError(f"The snapshot {self._file} was altered: {error}. Make it again.") from error

    def numbers(self, keys: list[str]) -> list[int]:
        """The number of each item by its key, -1 for those that are not in the table `items`."""
        found = (self.one("SELECT number FROM items WHERE key = ?", key) for key in keys)
        return [row[0] if row else -1 for row in found]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
