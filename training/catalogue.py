"""What a service looks up by key: the histories of all users that were read, and all items, written beside a bundle.

A bundle holds nothing about a single user. A catalogue of items is also loaded from a table of theirs, without
training: completely or not at all.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import Category
from features.errors import BadInputError
from features.values import WHOLE_BELOW, is_number
from recommend import catalogue, histories
from recommend.catalogue import ItemRow, Layout, State
from recommend.forgotten import NOBODY, Forgotten
from recommend.histories import UserRow
from recommend.interactions import Interactions
from recommend.stored import SnapshotError
from training.config import Source, TablesSpec
from training.datasets.configs import config_of, tables_of
from training.datasets.placed.dataset import addresses
from training.parameters import Dataset
from training.tables.columns import KEYS, header, keys_by_column, numbers_in, shared_columns, table_rules
from training.tables.files import files_of, is_table, listed_suffixes
from training.tables.interactions import Chosen
from training.tables.quick import look_at
from training.tables.reading import read_all
from training.tables.typed import TableRules, pointed


@dataclass(frozen=True, kw_only=True)
class EntityTable:
    """The n rows of users or items: their keys, and the texts of each column, "" where it is missing. The texts of
    those that are named in `numbers` are numbers.
    """

    keys: pa.StringArray
    columns: Mapping[str, pa.StringArray]
    numbers: tuple[str, ...] = ()


def read_entities(spec: TablesSpec, table: str) -> EntityTable:
    """The users with the columns that are features, which is all that their snapshot may hold; the items with all.

    Without a table there are no rows. Raises the fitting `DatasetError` for a malformed table.
    """
    if table not in spec.joined:
        return EntityTable(keys=pa.array([], pa.string()), columns={})
    own = table_rules(spec, listed=True)[table]
    names = [one.name for one in own.features] if table == "users" else _shown_columns(own)
    texts = [
        Category(name=name, at=at, index=at, separator=own.separators.get(name, "")) for at, name in enumerate(names)
    ]
    found = read_all(spec, replace(own, features=[*texts]))
    declared, of_files = {*spec.numeric_names}, {*numbers_in(own.files[0])} - {one.name for one in own.features}
    numbers = (name for name in names if name in declared or (name in of_files and _are_numbers(found.features[name])))
    decimals = dict.fromkeys(declared, own.source.decimal)
    columns = {name: pointed(texts, decimals.get(name, ".")) for name, texts in found.features.items()}
    return EntityTable(keys=found.columns[KEYS[table]], columns=columns, numbers=tuple(numbers))


def _are_numbers(texts: pa.StringArray) -> bool:
    """Whether all that are not missing are numbers that float64 holds, also large whole ones such as keys."""
    return all(is_number(text) and abs(float(text)) < WHOLE_BELOW for text in pc.unique(texts).to_pylist() if text)


def _shown_columns(rules: TableRules) -> list[str]:
    """All columns that every file has, but the key, and lists and bytes that are no features."""
    features = [one.name for one in rules.features]
    shared = (name for name in shared_columns(rules.files) if name not in rules.keys.values())
    return list(dict.fromkeys([*shared, *features]))


def write_snapshots(folder: Path, spec: TablesSpec, chosen: Chosen, forgotten: Forgotten = NOBODY) -> None:
    """Write the snapshots into `folder`, without users who were forgotten after `chosen` was read; raises
    `SnapshotError` if they cannot be written.
    """
    for name, one in spec.entities.items():
        table = read_entities(spec, name)
        if name == "users":
            rows = _users(chosen, table, repeats=spec.recommend_seen)
            users = (one for one in rows if one.key not in forgotten)
            histories.write(folder / histories.FILE, chosen.items, users, one.foreign_key)
        else:
            catalogue.write(folder / catalogue.FILE, _items(chosen, table), layout_of(spec, table))


def layout_of(spec: TablesSpec, items: EntityTable) -> Layout:
    """The layout of a catalogue of these items."""
    column = "" if spec.items is None else spec.items.foreign_key
    separators = {name: spec.separators.get(name, "") for name in items.columns}
    show = () if spec.items is None else spec.items.show
    return Layout(item_column=column, separators=separators, numbers=items.numbers, show=show)


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
    ordered = chosen.choices.in_order()
    packed = _packed(ordered.only(ordered.by_user()) if repeats or ordered.kinds is not None else ordered.once())
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


def _packed(choices: Interactions) -> Sequence[bytes]:
    """The choices of each user, as `recommend.histories` packs them, from rows that are sorted by user."""
    content = histories.packed(choices.items, choices.kinds)
    ends = np.cumsum(np.bincount(choices.users, minlength=choices.user_count)) * histories.PACKED.itemsize
    return [content[start:end] for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A catalogue's new version, and how many items it added, changed, withdrew and left as they were."""

    version: str
    added: int
    changed: int
    withdrawn: int
    same: int


def load(dataset: Dataset, file: Path, former: Path, target: Path | None = None) -> Loaded:
    """Make the items in `file`, a table like that of the dataset config's items, the catalogue at `target`.

    Without a `target` it replaces the `former` catalogue. Items that only this one has are withdrawn. The caller lets
    nothing else change it meanwhile. Raises `BadInputError` for a file that is no table, the
    fitting `DatasetError` with lines for wrong rows, and `SnapshotError` if the catalogue cannot be written.
    """
    spec, is_elsewhere = config_of(dataset), bool(addresses(dataset))
    if spec.items is None or spec.items.path is None:
        raise BadInputError("The dataset has no table of items, so it has no catalogue to load.")
    if not file.exists():
        raise BadInputError(f"There is no file {file}.")
    if not is_table(file):
        raise BadInputError(
            f"{file} is not a table. Give a file that ends in {listed_suffixes()}, or a folder of such."
        )
    spec = (spec if is_elsewhere else tables_of(dataset, None)).with_tables(path={"items": file})
    table, layout = _alone(spec, former) if is_elsewhere else _read(spec)
    rows = [
        ItemRow(key, layout.typed(texts(table.columns, row)), State.LOADED)
        for row, key in enumerate(table.keys.to_pylist())
    ]
    before = {row.key: row for row in _rows(former)}
    live = {key: row.columns for key, row in before.items() if row.state is not State.WITHDRAWN}
    known = {row.key for row in rows}
    gone = [row for key, row in before.items() if key not in known]
    withdrawn = [ItemRow(row.key, row.columns, State.WITHDRAWN) for row in gone]
    version = catalogue.write(target or former, [*rows, *withdrawn], layout)
    return Loaded(
        version=version,
        added=sum(row.key not in live for row in rows),
        changed=sum(row.key in live and live[row.key] != row.columns for row in rows),
        withdrawn=sum(row.key in live for row in gone),
        same=sum(live.get(row.key) == row.columns for row in rows),
    )


def _read(spec: TablesSpec) -> tuple[EntityTable, Layout]:
    """The table of items, which must be right in every row, and a catalogue's layout."""
    look_at({"items": table_rules(spec, listed=True)["items"]}, sys.maxsize)
    table = read_entities(spec, "items")
    return table, layout_of(spec, table)


def _alone(spec: TablesSpec, former: Path) -> tuple[EntityTable, Layout]:
    """The same where the other tables are in Azure Storage: the former catalogue tells which columns are the items'."""
    source = spec.tables["items"]
    columns = {*catalogue.read_rows(former)[1].separators} if former.exists() else {*header(files_of(source)[0])}
    times = [spec.timestamp.column] if spec.timestamp else []
    features = (one.name for one in spec.joined_schema.stored if one.name not in columns)
    others = dict.fromkeys([*keys_by_column(spec), spec.label.column, *spec.one_row_per, *times, *features])
    # Of the interactions only the names of their columns are looked at.
    named = Source(path=source.path, columns=tuple(filter(None, others)))
    users = spec.users and spec.users.model_copy(update={"path": None})
    return _read(spec.model_copy(update={"interactions": named, "users": users}))


def _rows(former: Path) -> list[ItemRow]:
    """The rows of the former catalogue. One that is there and can't be read would lose what was withdrawn."""
    if not former.exists():
        return []
    try:
        return catalogue.read_rows(former)[0]
    except SnapshotError as error:
        raise SnapshotError(f"{error} Remove it first if nothing needs to stay withdrawn.") from error
