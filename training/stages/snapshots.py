"""Writes what a recommender's service looks up by key: the histories of all users that were read, and all items.

These files lie beside the bundle, since it holds nothing about a single user.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend import catalogue, histories
from recommend.arrays import Indices
from recommend.catalogue import ItemRow, Layout, State
from recommend.histories import UserRow
from training.datasets.described.spec import TablesSpec
from training.engines.reading.entities import EntityTable, read_entities
from training.engines.reading.interactions import Chosen


def write_snapshots(folder: Path, spec: TablesSpec, chosen: Chosen) -> None:
    """Write the snapshots into `folder`; raises `SnapshotError` if they cannot be written."""
    for name, one in spec.entities.items():
        table = read_entities(spec, name)
        if name == "users":
            users = _users(chosen, table, repeats=spec.recommend_seen)
            histories.write(folder / histories.FILE, chosen.items, users, one.foreign_key)
        else:
            catalogue.write(folder / catalogue.FILE, _items(chosen, table), layout_of(spec, table))


def layout_of(spec: TablesSpec, items: EntityTable) -> Layout:
    """The layout of a catalogue of these items."""
    column = "" if spec.items is None else spec.items.foreign_key
    return Layout(item_column=column, separators={name: spec.separators.get(name, "") for name in items.columns})


def _items(chosen: Chosen, table: EntityTable) -> Iterator[ItemRow]:
    """All items: those in the table, and without one those that occur in the interactions."""
    if not table.columns and not len(table.keys):
        yield from (ItemRow(key, {}, State.TRAINED) for key in chosen.items)
    for row, key in enumerate(table.keys.to_pylist()):
        yield ItemRow(key, texts(table.columns, row), State.TRAINED)


def _users(chosen: Chosen, table: EntityTable, *, repeats: bool) -> Iterator[UserRow]:
    """All users of interactions or of the table, in the order of their keys. With `repeats`, an item comes as often as
    it was chosen. Choices of the same time are in the same order as a recommender learns from them.
    """
    choices = chosen.choices.in_order()
    order = choices.by_user()
    users, items = choices.users[order], choices.items[order]
    if not repeats:
        users, items = _last_of_each(users, items)
    packed = _packed(users, items, choices.user_count)
    places = dict(zip(table.keys.to_pylist(), range(len(table.keys)), strict=True))
    numbers = dict(zip(chosen.users, range(len(chosen.users)), strict=True))
    for key in sorted({*places, *numbers}):
        number = numbers.get(key)
        yield UserRow(key, b"" if number is None else packed[number], texts(table.columns, places.get(key)))


def texts(columns: Mapping[str, pa.StringArray], row: int | None) -> dict[str, str]:
    """The columns that are not missing in a row; none without a row."""
    if row is None:
        return {}
    return {name: text for name, values in columns.items() if (text := values[row].as_py())}


def _last_of_each(users: Indices, items: Indices) -> tuple[Indices, Indices]:
    """Each pair of user and item once, by user and then by when it last occurred."""
    pair = users * (int(items.max(initial=0)) + 1) + items
    _, last = np.unique(pair[::-1], return_index=True)
    kept = np.sort(len(pair) - 1 - last)
    return users[kept], items[kept]


def _packed(users: Indices, items: Indices, user_count: int) -> Sequence[bytes]:
    """The items of each user, as `recommend.histories` packs them; `users` are sorted."""
    content = items.astype(histories.PACKED).tobytes()
    ends = np.cumsum(np.bincount(users, minlength=user_count)) * histories.PACKED.itemsize
    return [content[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
