"""Loads a catalogue of items from a table of theirs, without training: completely or not at all."""

import sys
from dataclasses import dataclass
from pathlib import Path

from features.errors import BadInputError
from recommend import catalogue
from recommend.catalogue import ItemRow, State
from recommend.stored import SnapshotError
from training.datasets.described.columns import table_rules
from training.datasets.described.files import is_table, listed_suffixes
from training.datasets.described.quick import look_at
from training.datasets.described.spec import TablesSpec
from training.engines.reading.entities import read_entities
from training.stages.snapshots import layout_of, texts


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A catalogue's new version, and how many items it added, changed, withdrew and left as they were."""

    version: str
    added: int
    changed: int
    withdrawn: int
    same: int


def load(spec: TablesSpec, file: Path, target: Path) -> Loaded:
    """Make the items in `file`, a table like that of the dataset config's items, the catalogue at `target`.

    Items that only the former catalogue has are withdrawn. Raises `BadInputError` for a file that is no table, the
    fitting `DatasetError` with lines for wrong rows, and `SnapshotError` if the catalogue cannot be written.
    """
    if spec.items is None or spec.items.path is None:
        raise BadInputError("The dataset config has no table of items, so there is no catalogue to load.")
    if not file.exists() or not is_table(file):
        raise BadInputError(f"{file} is no table. Give a file that ends in {listed_suffixes()}, or a folder of such.")
    moved = spec.with_paths({"items": file})
    look_at({"items": table_rules(moved)["items"]}, sys.maxsize)
    table = read_entities(moved, "items")
    rows = [ItemRow(key, texts(table.columns, row), State.LOADED) for row, key in enumerate(table.keys.to_pylist())]
    with catalogue.locked(target):
        before = {row.key: row for row in _rows(target)}
        live = {key: row.columns for key, row in before.items() if row.state is not State.WITHDRAWN}
        known = {row.key for row in rows}
        gone = [row for key, row in before.items() if key not in known]
        withdrawn = [ItemRow(row.key, {}, State.WITHDRAWN) for row in gone]
        version = catalogue.write(target, [*rows, *withdrawn], layout_of(moved, table))
    return Loaded(
        version=version,
        added=sum(row.key not in live for row in rows),
        changed=sum(row.key in live and live[row.key] != row.columns for row in rows),
        withdrawn=sum(row.key in live for row in gone),
        same=sum(live.get(row.key) == row.columns for row in rows),
    )


def _rows(target: Path) -> list[ItemRow]:
    """The rows of the former catalogue. One that is there and can't be read would lose what was withdrawn."""
    if not target.exists():
        return []
    try:
        return catalogue.read_rows(target)[0]
    except SnapshotError as error:
        raise SnapshotError(f"{error} Remove it first if nothing needs to stay withdrawn.") from error
