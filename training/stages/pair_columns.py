"""The columns of users and items as the ranking of candidates reads them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from features.columns import Category, Field, Number
from features.schema import Schema
from recommend.columns import PairColumns, Value
from training.datasets.described.columns import KEYS, table_rules
from training.datasets.described.spec import TablesSpec
from training.engines.reading.tables import entities
from training.kernels.tables import taken

Columns = dict[str, Sequence[Value]]


def pair_columns(spec: TablesSpec, users: list[str], items: list[str]) -> tuple[PairColumns | None, Columns]:
    """The columns of users and items with these keys, and those of users by number; None if items have no columns.

    Numbers and categories are read, and crosses of them; the keys of items, where the model reads them. The ages of
    times need a moment, and keys of users say nothing of people whom the ranking has not met.
    """
    of_users, of_items = _values(spec, "users", users), _values(spec, "items", items)
    if spec.items is not None and spec.items.foreign_key in spec.categorical_names:
        of_items[spec.items.foreign_key] = items
    if not of_items:
        return None, {}
    names = {*of_users, *of_items}
    schema = Schema(
        numeric=tuple(name for name in spec.numeric_names if name in names),
        categorical=tuple(name for name in spec.categorical_names if name in names),
        separators={name: one for name, one in spec.separators.items() if name in names} or UNSET,
        crosses=tuple(pair for pair in spec.crosses if names.issuperset(pair)) or UNSET,
    )
    return PairColumns(schema=schema, items=of_items), of_users


def _values(spec: TablesSpec, table: str, keys: list[str]) -> Columns:
    """The numbers and categories of the users or items with these keys, by column."""
    if table not in spec.joined:
        return {}
    rules = table_rules(spec)[table]
    found = entities(spec, rules)
    places = found.known[KEYS[table]].find(pa.array(keys, pa.string()))
    return {
        field.name: _stated(field, taken(found.features[field.name], places))
        for field in rules.features
        if type(field) in {Number, Category}
    }


def _stated(field: Field, values: Any) -> list[Value]:  # noqa: ANN401 - numbers in NumPy's arrays, texts in Arrow's
    """The values as a request states them."""
    return [field.shown(value) for value in values.tolist()] if isinstance(field, Number) else values.to_pylist()
