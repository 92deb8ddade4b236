"""The snapshot of histories: what each user chose, with the columns of the users' table.

It is personal data: it lies beside bundles and images, and in none of them.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from features.values import key_of
from recommend.arrays import Indices
from recommend.first_stage import Kinds
from recommend.forgotten import Forgotten
from recommend.stored import Snapshot, SnapshotError, written

FILE = "histories.sqlite"
KIND = "histories"
PACKED = np.dtype("<u4")
"""How the numbers of a user's items are stored, with the kind of each choice in the highest bits."""
KIND_BITS = 3
ITEM_BITS = 8 * PACKED.itemsize - KIND_BITS
MOST_KINDS = 1 << KIND_BITS
SOME_CHOICES = 3
_TABLES = """
CREATE TABLE items (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
CREATE TABLE users (key TEXT PRIMARY KEY, chosen BLOB, columns BLOB) WITHOUT ROWID;
"""


class UserRow(NamedTuple):
    """A user to write: the items that they chose, packed, the latest last, and their columns."""

    key: str
    chosen: bytes
    columns: dict[str, str]


class Stored(NamedTuple):
    """What is known of a user: the items that they chose, by a recommender's numbers, the texts of columns, and the
    kind of each choice, int8[h], 0 the strongest; None where all are of that one.
    """

    chosen: Indices
    columns: dict[str, str]
    kinds: Kinds | None = None


def packed(items: Indices, kinds: Kinds | None = None) -> bytes:
    """A user's choices as they are stored: items below 2^29, and kinds below `MOST_KINDS`, 0 for all without any."""
    of_kinds = 0 if kinds is None else kinds.astype(np.int64) << ITEM_BITS
    return (items | of_kinds).astype(PACKED).tobytes()


def write(target: Path, items: Sequence[str], users: Iterable[UserRow], user_column: str) -> str:
    """Write the snapshot and return its version. `items` are keys by number; `user_column` is the key's name in
    records. Users come fastest in the order of their keys. Raises `SnapshotError`.
    """
    with written(target, KIND, _TABLES) as writer:
        writer.meta("user_column", user_column)
        writer.seen(user_column.encode(), *(key.encode() for key in items))
        writer.connection.executemany("INSERT INTO items VALUES (?, ?)", enumerate(items))

        def rows() -> Iterable[tuple[str, bytes, bytes]]:
            for user in users:
                columns = msgspec.json.encode(user.columns)
                writer.seen(user.key.encode(), user.chosen, columns)
                yield user.key, user.chosen, columns

        writer.connection.executemany("INSERT INTO users VALUES (?, ?, ?)", rows())
        return writer.version


def write_empty(target: Path) -> None:
    """Write a snapshot to which every user is unknown; raises `SnapshotError`."""
    write(target, (), (), user_column="")


def knows_anybody(file: Path) -> bool:
    """Whether the snapshot is there and has a user; raises `SnapshotError`."""
    return _finds(file, "SELECT 1 FROM users LIMIT 1")


def has(file: Path, user: str) -> bool:
    """Whether a snapshot has a user; not if there is none. Raises `SnapshotError`."""
    return _finds(file, "SELECT key FROM users WHERE key = ?", key_of(user))


def _finds(file: Path, query: str, *values: str) -> bool:
    if not file.is_file():
        return False
    with closing(Snapshot(file, KIND)) as snapshot:
        return bool(snapshot.one(query, *values))


def a_user(file: Path, forgotten: Forgotten) -> str | None:
    """The key of a user with some choices in the snapshot, None if there is none; raises `SnapshotError`."""
    with closing(Snapshot(file, KIND)) as snapshot:
        query = "SELECT key FROM users WHERE length(chosen) >= ? AND key NOT LIKE '-%' LIMIT 100"
        keys = [str(key) for (key,) in snapshot.all(query, SOME_CHOICES * PACKED.itemsize)]
    return next((key for key in keys if key not in forgotten), None)


class Histories:
    """An open snapshot, with its items translated to the numbers of a recommender."""

    def __init__(self, file: Path, items: list[str]) -> None:
        """`items` are the recommender's keys by number. Raises `SnapshotError` like `Snapshot`."""
        self._snapshot = Snapshot(file, KIND)
        self.version = self._snapshot.version
        (count,) = self._snapshot.one("SELECT count(*) FROM items")
        self._places: Indices = np.full(count, -1, np.int64)
        own = np.array(self._snapshot.numbers(items), dtype=np.int64)
        self._places[own[own >= 0]] = np.flatnonzero(own >= 0)
        self.user_column = str(self._snapshot.meta["user_column"])

    def find(self, user: str) -> Stored | None:
        """What is known of a user, None if they are unknown. Items that the recommender does not know are left out.

        Raises `SnapshotError` if the file was altered.
        """
        row = self._snapshot.one("SELECT chosen, columns FROM users WHERE key = ?", user)
        if not row:
            return None
        chosen, columns = row
        try:
            numbers: npt.NDArray[np.uint32] = np.frombuffer(chosen, PACKED)
            places = self._places[numbers & ((1 << ITEM_BITS) - 1)]
            is_known, kinds = places >= 0, (numbers >> ITEM_BITS).astype(np.int8)
            texts = msgspec.json.decode(columns, type=dict[str, str])
            return Stored(places[is_known], texts, kinds[is_known] if kinds[is_known].any() else None)
        except (ValueError, TypeError, IndexError, msgspec.DecodeError) as error:
            raise SnapshotError(f"The row of a user in the snapshot was altered: {error}. Make it again.") from error

    def items(self) -> set[str]:
        """The keys of all items that anybody chose or saw; raises `SnapshotError` if the file was altered."""
        return {str(key) for (key,) in self._snapshot.all("SELECT key FROM items")}

    def active_users(self) -> list[str]:
        """The keys of all users who chose anything, sorted; raises `SnapshotError` if the file was altered."""
        found = self._snapshot.all("SELECT key FROM users WHERE length(chosen) > 0 ORDER BY key")
        return [str(key) for (key,) in found]

    def close(self) -> None:
        """Close the file."""
        self._snapshot.close()
