"""Loads a catalogue of items from a table of theirs, without training: completely or not at all."""

import csv
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import BadInputError
from recommend import catalogue
from recommend.catalogue import ItemRow, Layout, State
from recommend.stored import SnapshotError
from training.datasets import tables_of
from training.datasets.described.columns import header, table_rules
from training.datasets.described.files import files_of, is_table, listed_suffixes
from training.datasets.described.quick import look_at
from training.datasets.described.sources import Source
from training.datasets.described.spec import TablesSpec, read_spec
from training.datasets.placed.dataset import addresses
from training.engines.reading.entities import EntityTable, read_entities
from training.parameters import Dataset, TablesDataset
from training.stages.snapshots import layout_of, texts


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
    spec, is_elsewhere = _config(dataset)
    if spec is None or spec.items is None or spec.items.path is None:
        raise BadInputError("The dataset has no table of items, so there is no catalogue to load.")
    if not file.exists():
        raise BadInputError(f"There is no file {file}.")
    if not is_table(file):
        raise BadInputError(f"{file} is no table. Give a file that ends in {listed_suffixes()}, or a folder of such.")
    spec = spec.with_paths({"items": file})
    table, layout = _alone(spec, former) if is_elsewhere else _read(spec)
    rows = [ItemRow(key, texts(table.columns, row), State.LOADED) for row, key in enumerate(table.keys.to_pylist())]
    before = {row.key: row for row in _rows(former)}
    live = {key: row.columns for key, row in before.items() if row.state is not State.WITHDRAWN}
    known = {row.key for row in rows}
    gone = [row for key, row in before.items() if key not in known]
    withdrawn = [ItemRow(row.key, {}, State.WITHDRAWN) for row in gone]
    version = catalogue.write(target or former, [*rows, *withdrawn], layout)
    return Loaded(
        version=version,
        added=sum(row.key not in live for row in rows),
        changed=sum(row.key in live and live[row.key] != row.columns for row in rows),
        withdrawn=sum(row.key in live for row in gone),
        same=sum(live.get(row.key) == row.columns for row in rows),
    )


def _config(dataset: Dataset) -> tuple[TablesSpec | None, bool]:
    """The dataset's config, and whether its tables are in Azure Storage."""
    if isinstance(dataset, TablesDataset) and addresses(dataset):
        return read_spec(dataset.spec), True
    return tables_of(dataset, None), False


def _read(spec: TablesSpec) -> tuple[EntityTable, Layout]:
    """The table of items, which must be right in every row, and a catalogue's layout."""
    look_at({"items": table_rules(spec)["items"]}, sys.maxsize)
    table = read_entities(spec, "items")
    return table, layout_of(spec, table)


def _alone(spec: TablesSpec, former: Path) -> tuple[EntityTable, Layout]:
    """The same where the other tables are in Azure Storage: the former catalogue tells which columns are the items'."""
    source = spec.tables["items"]
    columns = {*catalogue.read_rows(former)[1].separators} if former.exists() else {*header(files_of(source)[0])}
    with TemporaryDirectory(prefix="interactions-") as temporary:
        others = Path(temporary) / "interactions.csv"
        with others.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerow(_others(spec, columns))
        users = spec.users and spec.users.model_copy(update={"path": None})
        return _read(spec.model_copy(update={"interactions": Source(path=others), "users": users}))


def _others(spec: TablesSpec, columns: Collection[str]) -> list[str]:
    """The columns that a table of interactions must have if the items have these."""
    keys = [one.foreign_key for one in spec.entities.values()]
    events = [spec.label.column, *spec.one_row_per, *([spec.timestamp.column] if spec.timestamp else [])]
    features = [one.name for one in spec.joined_schema.stored if one.name not in columns]
    return [*dict.fromkeys(name for name in (*keys, *events, *features) if name)]


def _rows(former: Path) -> list[ItemRow]:
    """The rows of the former catalogue. One that is there and can't be read would lose what was withdrawn."""
    if not former.exists():
        return []
    try:
        return catalogue.read_rows(former)[0]
    except SnapshotError as error:
        raise SnapshotError(f"{error} Remove it first if nothing needs to stay withdrawn.") from error
