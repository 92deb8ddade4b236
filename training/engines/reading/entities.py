"""The columns of users and items as their tables have them: for snapshots, which show and filter them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from features.columns import Category
from training.datasets.described.columns import KEYS, bytes_in, header, lists_in, table_rules
from training.datasets.described.fields import TableRules
from training.datasets.described.spec import TablesSpec
from training.engines.reading.tables import read_all


@dataclass(frozen=True, kw_only=True)
class EntityTable:
    """The n rows of users or items: their keys, and the texts of each column, "" where it is missing."""

    keys: pa.StringArray
    columns: Mapping[str, pa.StringArray]


def read_entities(spec: TablesSpec, table: str) -> EntityTable:
    """The users with the columns that are features, which is all that their snapshot may hold; the items with all.

    Without a table there are no rows. Raises the fitting `DatasetError` for a malformed table.
    """
    if table not in spec.joined:
        return EntityTable(keys=pa.array([], pa.string()), columns={})
    own = table_rules(spec)[table]
    names = [one.name for one in own.features] if table == "users" else _columns(own)
    texts = [
        Category(name=name, at=at, index=at, separator=own.separators.get(name, "")) for at, name in enumerate(names)
    ]
    found = read_all(spec, replace(own, features=[*texts]))
    return EntityTable(keys=found.keys[KEYS[table]], columns=found.features)


def _columns(rules: TableRules) -> list[str]:
    """All columns that every file has, but the key, and lists and bytes that are no features."""
    first, *others = rules.files
    unused = {*lists_in(first), *bytes_in(first), *rules.keys.values()}
    shared = set.intersection({*header(first)}, *({*header(file)} for file in others))
    features = [one.name for one in rules.features]
    return list(dict.fromkeys([*(name for name in header(first) if name in shared - unused), *features]))
