"""What is known of users and items beside who chose what: the columns of their tables, which the ranking reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.arrays import Numbers, Several, Values, at_rows
from features.columns import Field, Tables
from features.encoder import RawRows
from features.schema import Schema
from recommend.arrays import Indices

Value = str | float | None
"""A column's value as a request states it."""
SHRINKING = 5
"""Items of no taste that are added to a history: otherwise one film would make its genre somebody's favourite."""


@dataclass(frozen=True, kw_only=True)
class PairColumns:
    """The columns of pairs of a user and an item, by the names in `schema`: `items` has the values of all m items by
    column, and the schema's other fields are the user's.
    """

    schema: Schema
    items: Mapping[str, Sequence[Value]]

    @cached_property
    def of_users(self) -> tuple[Field, ...]:
        """The fields that are a user's."""
        return tuple(field for field in self.schema.fields if field.name not in self.items)

    @cached_property
    def _item_values(self) -> dict[int, Values]:
        """The values of all items by the field's place in the schema."""
        return {
            field.at: field.read(self.items[field.name]) for field in self.schema.fields if field.name in self.items
        }

    @cached_property
    def tastes(self) -> "list[Taste]":
        """One for each categorical column of items in which items share values."""
        texts = [field for field in self.schema.texts if field.name in self.items]
        tastes = [Taste.of(self._item_values[field.at]) for field in texts]
        return [taste for taste in tastes if taste.is_shared]

    def of_items(self, items: Indices) -> "PairColumns":
        """The columns of these items alone, which get new numbers in their order."""
        chosen = items.tolist()
        return replace(self, items={name: [values[item] for item in chosen] for name, values in self.items.items()})

    def read_users(self, columns: Mapping[str, Sequence[Value]]) -> dict[int, Values]:
        """The values of users by the field's place in the schema, from all columns `of_users`."""
        return {field.at: field.read(columns[field.name]) for field in self.of_users}

    def encoded_items(self, tables: Tables) -> Numbers:
        """The inputs of all items' own columns, float64[m, f], in the order of `Schema.encoded_features`; NaN in place
        of the inputs that depend on users.
        """
        fields = [self._item_values.get(field.at) for field in self.schema.fields]
        count = len(next(iter(self.items.values())))
        encoded = np.full((count, len(self.schema.encoded_features)), np.nan)
        own = [column for column in self.schema.columns if column.name in self.items]
        RawRows(schema=self.schema, fields=fields).fill(encoded, own, tables)
        return encoded

    def encoded_pairs(
        self, users: Mapping[int, Values], user: Indices, item: Indices, of_items: Numbers, tables: Tables
    ) -> Numbers:
        """The inputs of the n pairs of the users and items at these places, float64[n, f]: as `pairs` encodes them, but
        those of the items' own columns are taken from `of_items`, the `encoded_items`.
        """
        encoded = of_items[item]
        others = [column for column in self.schema.columns if column.name not in self.items]
        self.pairs(users, user, item).fill(encoded, others, tables)
        return encoded

    def pairs(self, users: Mapping[int, Values], user: Indices, item: Indices) -> RawRows:
        """The n pairs of the users and items at these places, int64[n] each."""
        fields = [
            at_rows(self._item_values[field.at], item)
            if field.at in self._item_values
            else at_rows(users[field.at], user)
            for field in self.schema.fields
        ]
        return RawRows(schema=self.schema, fields=fields)


@dataclass(frozen=True, kw_only=True)
class Taste:
    """How much somebody prefers an item's values in a column: `value` int64[v] numbers the value of the items `item`,
    int64[v], so that an item can have several.
    """

    item: Indices
    value: Indices
    counts: Indices
    """How many values each item has."""

    @classmethod
    def of(cls, values: Values) -> "Taste":
        """The tastes for a column's values of all items."""
        hashes, item = (values.hashes, values.row) if isinstance(values, Several) else (values, np.arange(len(values)))
        _, value = np.unique(hashes, return_inverse=True)
        return cls(item=item, value=value.astype(np.int64), counts=np.bincount(item))

    @property
    def is_shared(self) -> bool:
        """Whether items have values in common."""
        return int(self.value.max(initial=-1)) + 1 < len(self.value)

    def of_items(self, history: Indices, popularity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """For each of all m items, the share of its values in a history, less their share in all choices, float64[m].

        `popularity` is each item's share of all choices.
        """
        chosen = np.bincount(history, minlength=len(popularity)) - len(history) * popularity
        of_value = np.bincount(self.value, weights=chosen[self.item]) / (len(history) + SHRINKING)
        return np.bincount(self.item, weights=of_value[self.value]) / self.counts
