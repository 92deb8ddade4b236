"""The catalogue: all items with the columns of their table, for showing and filtering, and those that were withdrawn.

An item keeps where it comes from. What a load of the catalogue said about it holds until the next load, so training,
which knows the items by older tables, neither changes it nor brings back what was withdrawn.

New items are those that nobody is known to have chosen or seen. Weights between items say nothing about them, so known
items speak for them that have the same values in a column.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.columns import Field
from features.hashing import split_values
from features.values import WHOLE_BELOW, is_number, value_of
from recommend.arrays import Indices, Mask
from recommend.columns import Cell, Value, stated
from recommend.histories import Histories
from recommend.stored import Snapshot, SnapshotError, Writer, written

FILE = "catalogue.sqlite"
KIND = "catalogue"
FORMAT = 2
"""In the first one, which is still read, all columns are texts until the items are written again."""
KEPT = 10_000
"""Items whose columns an open catalogue keeps in memory, a few hundred bytes each: those that are recommended most."""
TITLES = ("title", "name")
"""The columns that are shown if nothing names others, also with a word before them: `movie_title`."""
_PACKED = np.dtype("<i4")
_TABLES = """
CREATE TABLE items (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, columns BLOB NOT NULL, state INTEGER);
CREATE TABLE columns (name TEXT PRIMARY KEY, starts BLOB, codes BLOB);
CREATE TABLE texts (name TEXT, value, code INTEGER, PRIMARY KEY (name, value)) WITHOUT ROWID;
"""

SHRINKING = 5
"""Items with a score of 0 that are added to those that have a value: otherwise one item would speak for it."""


class State(IntEnum):
    """What an item's row is due to."""

    TRAINED = 0
    LOADED = 1
    WITHDRAWN = 2


class ItemRow(NamedTuple):
    """An item to write: its key, its columns that are not missing, and its state."""

    key: str
    columns: Mapping[str, Cell]
    state: State


class KnownItem(NamedTuple):
    """What records say of an item: its `columns` and its key by name, and the `values` that these have as fields of a
    record, each with the field's place.
    """

    columns: Mapping[str, Cell]
    values: Sequence[tuple[int, Value]]

    def shown(self, names: Iterable[str]) -> dict[str, Cell]:
        """Those of these columns that are not missing."""
        return {name: self.columns[name] for name in names if name in self.columns}


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What records call an item's key, the catalogue's columns with the separators that their table has, "" for a
    single value, those that are numbers, and those to `show` unless a request names others.
    """

    item_column: str
    separators: dict[str, str]
    numbers: tuple[str, ...] = ()
    show: tuple[str, ...] = ()

    @property
    def to_show(self) -> list[str]:
        """The columns that show what an item is: those of `show`, or else titles and names."""
        if self.show:
            return [name for name in self.show if name in self.separators]
        return [name for name in self.separators if name.lower().rpartition("_")[-1] in TITLES]

    def typed(self, columns: Mapping[str, Cell]) -> dict[str, Cell]:
        """The values of an item as the columns hold them: numbers, whole ones without a point, texts, and lists of
        texts. What is none is missing.
        """
        found = ((name, self._typed(name, value)) for name, value in columns.items())
        return {name: value for name, value in found if value not in (None, "", [])}

    def written(self, columns: Mapping[str, Cell]) -> dict[str, Cell]:
        """The same values as a table writes them: several with their separator in between."""
        joined = ((name, value, self.separators.get(name, "")) for name, value in columns.items())
        return {name: one.join(value) if isinstance(value, list) else value for name, value, one in joined}

    def _typed(self, name: str, value: Cell) -> Cell | None:
        if name in self.numbers:
            return _number(str(value))
        if isinstance(value, list):
            return value
        separator = self.separators.get(name)
        return [one for one in split_values(str(value), separator) if one] if separator else str(value)


def _number(text: str) -> float | None:
    if not is_number(text):
        return None
    found = float(text)
    return int(found) if found.is_integer() and abs(found) < WHOLE_BELOW else found


_NO_LAYOUT = Layout(item_column="", separators={})
_decode = msgspec.json.Decoder(dict[str, str | int | float | list[str]]).decode


def write(target: Path, rows: Iterable[ItemRow], layout: Layout) -> str:
    """Write a catalogue, with the columns as the layout types them, and return its version; each key must occur once.

    Raises `SnapshotError`.
    """
    live: list[ItemRow] = []
    withdrawn: list[ItemRow] = []
    for row in rows:
        (withdrawn if row.state is State.WITHDRAWN else live).append(row._replace(columns=layout.typed(row.columns)))
    with written(target, KIND, _TABLES, form=FORMAT) as writer:
        writer.meta("layout", msgspec.json.encode(layout))
        writer.meta("live", len(live))
        writer.seen(msgspec.json.encode(layout))
        writer.connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", _encoded([*live, *withdrawn], writer))
        for name in layout.separators:
            _write_column(writer, name, live)
        return writer.version


def _encoded(rows: Sequence[ItemRow], writer: Writer) -> Iterator[tuple[int, str, bytes, int]]:
    for number, row in enumerate(rows):
        columns = msgspec.json.encode(row.columns)
        writer.seen(row.key.encode(), columns, b"%d" % row.state)
        yield number, row.key, columns, int(row.state)


def _write_column(writer: Writer, name: str, rows: Sequence[ItemRow]) -> None:
    """Write which items have which of a column's values. The values' codes are in their order."""
    found: list[Any] = [row.columns.get(name, []) for row in rows]
    values = [value if isinstance(value, list) else [value] for value in found]
    known = {value: code for code, value in enumerate(sorted({one for own in values for one in own}))}
    starts, codes = np.cumsum([0, *map(len, values)]), [known[one] for own in values for one in own]
    packed = (np.array(numbers, _PACKED).tobytes() for numbers in (starts, codes))
    writer.connection.execute("INSERT INTO columns VALUES (?, ?, ?)", (name, *packed))
    texts = ((name, value, code) for value, code in known.items())
    writer.connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", texts)


def read_rows(file: Path) -> tuple[list[ItemRow], Layout]:
    """All rows of a catalogue, also the withdrawn ones, and its layout; raises `SnapshotError`."""
    with closing(Snapshot(file, KIND, FORMAT)) as snapshot:
        rows = [
            ItemRow(str(key), _decode(bytes(columns)), State(state))
            for key, columns, state in snapshot.all("SELECT key, columns, state FROM items ORDER BY number")
        ]
        return rows, _layout(snapshot)


def carry_over(before: Path, trained: Path | None, items: Iterable[str], target: Path) -> None:
    """Write what training read to `target`; items that were loaded or withdrawn stay as they are in `before`.

    There may be no file `before`. Without what training read, it is the catalogue before, with a model's `items` that
    it lacks. Raises `SnapshotError`.
    """
    former, former_layout = read_rows(before) if before.is_file() else ([], _NO_LAYOUT)
    kept = [row for row in former if row.state is not State.TRAINED]
    if trained is not None:
        rows, layout = read_rows(trained)
        if kept:
            others = [name for name in former_layout.separators if name not in layout.separators]
            kept = [row._replace(columns=former_layout.written(row.columns)) for row in kept]
            layout = Layout(
                item_column=layout.item_column,
                separators=layout.separators | {name: former_layout.separators[name] for name in others},
                numbers=(*layout.numbers, *(name for name in others if name in former_layout.numbers)),
                show=layout.show,
            )
        known = {row.key for row in kept}
    else:
        kept, layout = former, former_layout
        known = {row.key for row in kept}
        rows = [ItemRow(key, {}, State.TRAINED) for key in items]
    write(target, [*kept, *(row for row in rows if row.key not in known)], layout)


def _layout(snapshot: Snapshot) -> Layout:
    with _unaltered("The catalogue"):
        return msgspec.json.decode(snapshot.meta["layout"], type=Layout)


@contextmanager
def _unaltered(part: str) -> Iterator[None]:
    """Raise `SnapshotError` if a part of the file is not as it was written."""
    try:
        yield
    except (LookupError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise SnapshotError(f"{part} was altered: {error}. Load it again.") from error


class Catalogue:
    """An open catalogue beside a recommender."""

    def __init__(self, file: Path, items: list[str], fields: Sequence[Field] = ()) -> None:
        """`items` are the recommender's keys by number, `fields` those of a record. Raises `SnapshotError`."""
        self._snapshot = Snapshot(file, KIND, FORMAT)
        self.version = self._snapshot.version
        self.layout = _layout(self._snapshot)
        self.count = int(self._snapshot.meta["live"])
        numbers = np.array(self._snapshot.numbers(items), dtype=np.int64)
        self.numbers: Indices = np.where(numbers < self.count, numbers, -1)
        """The number of each of the recommender's items in the catalogue, int64[m], -1 for those that are not there."""
        self.absent: Indices = np.flatnonzero(self.numbers < 0)
        """The recommender's items that are not in the catalogue, int64[a]."""
        self._coded: dict[str, tuple[Indices, Indices]] = {}
        self._numbers: dict[str, npt.NDArray[np.float64]] = {}
        """The number of each item by column, float64[count], NaN for none."""
        self._valued: dict[str, tuple[npt.NDArray[np.float64], Indices]] = {}
        self._compared: dict[tuple[str, ...], Comparison] = {}
        """All items with each other, by the columns."""
        # Of the snapshot, not a method of the catalogue: that would keep itself, and its file, after its last use.
        self.item = lru_cache(maxsize=KEPT)(partial(_item, self._snapshot, self.layout, fields))
        """The item with a key, also a withdrawn one; without columns if it was never there. Raises `SnapshotError` if
        the file was altered."""

    def find(self, key: str) -> int:
        """The number of an item by its key, -1 if it is not in the catalogue or was withdrawn."""
        (number,) = self._snapshot.numbers([key])
        return number if number < self.count else -1

    def among(self, keys: Iterable[str]) -> Indices:
        """The numbers of those of these keys that are in the catalogue and were not withdrawn, in no order.

        Raises `SnapshotError` if the file was altered.
        """
        query = "SELECT number FROM items WHERE key IN (SELECT value FROM json_each(?)) AND number < ?"
        rows = self._snapshot.all(query, msgspec.json.encode([*keys]).decode(), self.count)
        return np.array([number for (number,) in rows], dtype=np.int64)

    def key(self, number: int | np.int64) -> str:
        """The key of an item; raises `SnapshotError` if the file was altered."""
        (key,) = self._snapshot.one("SELECT key FROM items WHERE number = ?", int(number)) or ("",)
        return str(key)

    def without(self, keys: AbstractSet[str]) -> Indices:
        """The numbers of all items but those with these keys, int64[n] in the order of their table.

        Raises `SnapshotError` if the file was altered.
        """
        rows = self._snapshot.all("SELECT number, key FROM items ORDER BY number")
        return np.array([number for number, key in rows if number < self.count and key not in keys], dtype=np.int64)

    def having(self, name: str, values: Sequence[str | float]) -> Mask:
        """Which items have one of these values in a column, bool[count]: see `features.values.value_of`.

        Spaces around a text of several don't matter. Raises `SnapshotError` if the file was altered.
        """
        starts, codes = self.coded(name)
        numbers = [] if name in self.layout.numbers else [value_of(str(one)) for one in values if type(one) is not str]
        if name in self.layout.numbers:
            own: list[str | float | None] = [_number(str(value)) for value in values]
        else:
            own = [str(value).strip(" " if self.layout.separators[name] else "") for value in values]
        marks = ", ".join("?" * len(own))  # SQLite does not read each number of JSON as Python does
        found = self._snapshot.all(f"SELECT code FROM texts WHERE name = ? AND value IN ({marks})", name, *own)  # noqa: S608 - marks alone
        wanted = np.array([code for (code,) in found], dtype=np.int64)
        if numbers:
            known, of_known = self._numeric_texts(name)
            wanted = np.concatenate([wanted, of_known[np.isin(known, np.array(numbers, np.float64))]])
        hits = np.concatenate([[0], np.cumsum(np.isin(codes, wanted))])[starts]
        mask: Mask = hits[1:] > hits[:-1]
        return mask

    def _numeric_texts(self, name: str) -> tuple[npt.NDArray[np.float64], Indices]:
        """The values of a column's texts, float64[n], NaN for those that are not numbers, and their codes, int64[n]."""
        if name not in self._valued:
            query = "SELECT value, code FROM texts WHERE name = ? AND value >= '+' AND value < ':'"  # as numbers begin
            found = [*self._snapshot.all(query, name)]
            values = np.array([value_of(text) for text, _ in found], np.float64)  # None becomes NaN
            self._valued[name] = values, np.array([code for _, code in found], np.int64)
        return self._valued[name]

    def within(self, name: str, lowest: float, highest: float) -> Mask:
        """Which items have a number from `lowest` to `highest` in a column of numbers, bool[count].

        Raises `SnapshotError` if the file was altered.
        """
        if name not in self._numbers:
            starts, codes = self.coded(name)
            numbers = self._snapshot.all("SELECT value FROM texts WHERE name = ? ORDER BY code", name)
            with _unaltered("A column of the catalogue"):
                known = np.array([number for (number,) in numbers], np.float64)
                found = np.full(self.count, np.nan)
                found[starts[1:] > starts[:-1]] = known[codes]
            self._numbers[name] = found
        own = self._numbers[name]
        mask: Mask = (own >= lowest) & (own <= highest)
        return mask

    def like(self, number: int, columns: Sequence[str]) -> npt.NDArray[np.float64]:
        """How much each item is like the item `number`, float64[count], 0 without a common value in these columns; see
        `Comparison.scores`. Raises `SnapshotError` if the file was altered.
        """
        key, every = tuple(columns), np.arange(self.count)
        if key not in self._compared:
            self._compared[key] = Comparison.between(self, every, every, key)
        return self._compared[key].scores((every == number).astype(np.float64))

    def coded(self, name: str) -> tuple[Indices, Indices]:
        """The values of a column by number: those of item i are `codes[starts[i] : starts[i + 1]]`."""
        if name not in self._coded:
            row = self._snapshot.one("SELECT starts, codes FROM columns WHERE name = ?", name)
            if not row:
                raise SnapshotError(f"The catalogue has lost its column {name[:100]!r}. Load it again.")
            with _unaltered("A column of the catalogue"):
                starts, codes = (np.frombuffer(packed, _PACKED).astype(np.int64) for packed in row)
            self._coded[name] = starts, codes
        return self._coded[name]

    def close(self) -> None:
        """Close the file."""
        self._snapshot.close()


def _item(snapshot: Snapshot, layout: Layout, fields: Sequence[Field], key: str) -> KnownItem:
    (encoded,) = snapshot.one("SELECT columns FROM items WHERE key = ?", key) or (b"{}",)
    with _unaltered("The row of an item in the catalogue"):
        columns = {layout.item_column: key, **_decode(encoded)}
        known = ((place, field, layout.separators.get(field.name, "")) for place, field in enumerate(fields))
        values = [
            (place, stated(columns[one.name], one, separator)) for place, one, separator in known if one.name in columns
        ]
        return KnownItem(columns, values)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Compares n items, by their `numbers` in the catalogue, int64[n] ascending, with m others by the values of both in
    some columns.

    The value at a place of `values`, int64[v], is one of the item at the `place`, int64[v]; that in `known_values`,
    int64[k], is one of the other item in `known`, int64[k].
    """

    numbers: Indices
    place: Indices
    values: Indices
    known: Indices
    known_values: Indices

    @classmethod
    def of_new(cls, catalogue: Catalogue, histories: Histories | None, columns: Iterable[str]) -> Self:
        """The new items of a catalogue and the recommender's.

        Raises `SnapshotError` if a file was altered.
        """
        unseen = catalogue.without(set() if histories is None else histories.items())
        return cls.between(catalogue, np.setdiff1d(unseen, catalogue.numbers), catalogue.numbers, columns)

    @classmethod
    def between(cls, catalogue: Catalogue, numbers: Indices, others: Indices, columns: Iterable[str]) -> Self:
        """Items of a catalogue and others, int64[m], -1 for those that are not there, by those of the columns that it
        has. Raises `SnapshotError` if the file was altered.
        """
        new, known = [_NONE], [_NONE]
        first = 0
        for name in columns:
            if name in catalogue.layout.separators:
                starts, codes = catalogue.coded(name)
                new.append(_values_of(numbers, starts, codes + first))
                known.append(_values_of(others, starts, codes + first))
                first += int(codes.max(initial=-1)) + 1
        place, values = np.concatenate(new, axis=1)
        items, known_values = np.concatenate(known, axis=1)
        return cls(numbers=numbers, place=place, values=values, known=items, known_values=known_values)

    def scores(self, known: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A score of each item, float64[n], from the scores of the others, float64[m], in which 0 says nothing.

        A value is worth the mean score of the others that have it, as if `SHRINKING` more scored 0. The worths of an
        item's values are added, and divided by the root of their number, by which a sum varies.
        """
        others, roots = self._counts
        worth = np.bincount(self.known_values, weights=known[self.known], minlength=len(others)) / (others + SHRINKING)
        return np.bincount(self.place, weights=worth[self.values], minlength=len(self.numbers)) / roots

    @cached_property
    def _counts(self) -> tuple[Indices, npt.NDArray[np.float64]]:
        """How many of the others have each value, and the root of how many values each item has."""
        values = int(max(self.values.max(initial=-1), self.known_values.max(initial=-1))) + 1
        own = np.bincount(self.place, minlength=len(self.numbers))
        return np.bincount(self.known_values, minlength=values), np.sqrt(np.maximum(own, 1))


_NONE = np.empty((2, 0), np.int64)


def _values_of(numbers: Indices, starts: Indices, codes: Indices) -> npt.NDArray[np.int64]:
    """The places in `numbers` of items of the catalogue, -1 for none, and the values that these have, int64[2, v]."""
    places = np.full(len(starts), -1)
    places[numbers] = np.arange(len(numbers))
    places[-1] = -1  # where numbers are -1
    place = np.repeat(places[:-1], np.diff(starts))
    has_one = place >= 0
    return np.stack([place[has_one], codes[has_one]])
