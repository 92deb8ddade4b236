"""What is known of users and items beside who chose what: the columns of their tables, which the ranking reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from features.columns import Field, Number, Tables
from features.encoder import RawRows
from features.hashing import Numbers, Several, Values, at_rows, spread
from features.schema import Schema
from recommend.arrays import Indices

Value = str | float | None
"""A column's value as a request states it."""
Cell = str | float | list[str]
"""A column's value in a snapshot: a text, a number, or several texts. Times are texts."""
SHRINKING = 5
"""Items of no taste that are added to a history: otherwise one film would make its genre somebody's favourite."""


def stated(stored: Cell, field: Field, separator: str = "") -> Value:
    """A stored value as a request states it, several with the separator between them, None if it is none of the
    field's.
    """
    if type(field) is Number and isinstance(stored, float | int):
        return stored
    text = separator.join(stored) if isinstance(stored, list) else str(stored)
    if not isinstance(field, Number):
        return text
    return field.parse(text) if field.is_right(text) else None


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


class Chosen(NamedTuple):
    """What each of several users chose, each item once: whose choice each is, `by` int64[h], the `items`, int64[h], and
    how many each user has, `counts` int64[u].
    """

    by: Indices
    items: Indices
    counts: Indices

    @classmethod
    def of(cls, histories: Sequence[Indices], number: int) -> Self:
        """From the history of one user or more, in which there are items below `number`."""
        by = np.repeat(np.arange(len(histories)), [len(own) for own in histories])
        by, items = np.divmod(np.unique(by * number + np.concatenate(histories)), number)
        return cls(by=by, items=items, counts=np.bincount(by, minlength=len(histories)))


@dataclass(frozen=True, kw_only=True)
class Taste:
    """How much somebody prefers an item's values in a column: `values`, int64[v], numbers those of all items, of which
    item i has so many as `counts[i]`, int64[m], 1 at least, from the place `starts[i]`, int64[m], on.
    """

    values: Indices
    starts: Indices
    counts: Indices

    @classmethod
    def of(cls, values: Values) -> Self:
        """The tastes for a column's values of all items."""
        hashes, item = (values.hashes, values.row) if isinstance(values, Several) else (values, np.arange(len(values)))
        _, numbers = np.unique(hashes, return_inverse=True)
        counts = np.bincount(item)
        return cls(values=numbers.astype(np.int64), starts=np.cumsum(counts) - counts, counts=counts)

    @property
    def is_shared(self) -> bool:
        """Whether items have values in common."""
        return self._number < len(self.values)

    @cached_property
    def _number(self) -> int:
        """How many values there are."""
        return int(self.values.max(initial=-1)) + 1

    def shares(self, popularity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The share of each value in all choices, from the share of each item, float64[m]."""
        return np.bincount(self.values, weights=popularity.repeat(self.counts)).astype(np.float64, copy=False)

    def of_items(
        self, chosen: Chosen, of: Indices, items: Indices, shares: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """The share of an item's values in what a user chose, less their `shares` in all choices, float64[n], for each
        of the `items`, int64[n], and the users that they are `of`, int64[n].
        """
        row, values = self._values(chosen.items)
        places = chosen.by[row] * self._number + values
        counts = np.bincount(places, minlength=len(chosen.counts) * self._number).reshape(-1, self._number)
        of_value = (counts - chosen.counts[:, np.newaxis] * shares) / (chosen.counts[:, np.newaxis] + SHRINKING)
        row, values = self._values(items)
        return np.bincount(row, weights=of_value[of[row], values], minlength=len(items)) / self.counts[items]

    def _values(self, items: Indices) -> tuple[Indices, Indices]:
        """The values of these items, int64[w], and the place of each one's item, int64[w]."""
        row, place = spread(self.counts[items])
        return row, self.values[self.starts[items][row] + place]
