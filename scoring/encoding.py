"""A record's values as the model's inputs.

The columns' tables are merged into one sorted array, each column's hashes mixed with a number of its own, so that one
binary search answers for all categories of a request. Values are as unevenly frequent as clicks are, so where the
frequent ones stand is remembered. `Encoder.encode` is the plain form; a test holds them equal.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from features.encoder import Encoder
from features.hashing import hash_values
from features.schema import Schema
from scoring.records import Values

REMEMBERED_VALUES = 100_000
"""Category values whose place is remembered, all columns together: about 16 MB."""

REMEMBERED_LENGTH = 64
"""Longer values, in characters, are looked up each time, so that nobody fills the memory with them."""


class RowEncoder:
    """The encoder of a bundle, arranged for few records at a time."""

    def __init__(self, schema: Schema, encoder: Encoder) -> None:
        self._numbers = len(schema.numeric)
        self._categories = len(schema.categorical)
        self._width = len(schema.encoded_features)
        self._entries = len(encoder.hashes)
        owner = np.repeat(np.arange(self._categories), np.diff(encoder.offsets))
        hashes = encoder.hashes.view(np.uint64)
        self._salts = _salts(owner, hashes, self._categories)
        keys = hashes ^ self._salts[owner]
        order = np.argsort(keys)
        self._keys = keys[order]
        known = np.column_stack((encoder.rates, encoder.log_counts))[order]
        # A value that no table has finds its column's pair behind the known ones.
        self._pairs = np.concatenate((known, encoder.unseen)).astype(np.float32)
        self._places: list[dict[object, int]] = [{} for _ in range(self._categories)]
        self._lookups = [places.get for places in self._places]
        self._remembered = 0

    def encode(self, rows: Sequence[Values]) -> npt.NDArray[np.float64]:
        """The model's inputs, float64[n, f], for `rows` in the order of `Schema.features`."""
        numbers = self._numbers
        encoded = np.empty((len(rows), self._width), dtype=np.float64)
        if numbers:
            encoded[:, :numbers] = [row[:numbers] for row in rows]  # None becomes NaN, as absent numbers are
        if self._categories:
            pairs = self._pairs.take(self._find(rows), axis=0)
            encoded[:, numbers:] = pairs.reshape(len(rows), 2 * self._categories)
        return encoded

    def _find(self, rows: Sequence[Values]) -> list[int]:
        """Where in `_pairs` each category of each row stands, in the rows' order."""
        numbers, lookups = self._numbers, self._lookups
        found = [lookup(value) for row in rows for lookup, value in zip(lookups, row[numbers:], strict=True)]
        places: list[int] = found if None not in found else self._complete(found, rows)  # type: ignore[assignment] # checked
        return places

    def _complete(self, found: list[int | None], rows: Sequence[Values]) -> list[int]:
        wanted = [index for index, place in enumerate(found) if place is None]
        values = [rows[index // self._categories][self._numbers + index % self._categories] for index in wanted]
        columns = np.array(wanted) % self._categories
        for index, value, place in zip(wanted, values, self._search(values, columns).tolist(), strict=True):
            found[index] = place
            self._remember(index % self._categories, value, place)
        return found  # type: ignore[return-value] # complete now

    def _search(self, values: Sequence[object], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        # None, UNSET and the empty string are one missing value.
        hashes = hash_values(str(value) if value else "" for value in values).view(np.uint64)
        keys = hashes ^ self._salts[columns]
        place = self._keys.searchsorted(keys)
        inside = np.minimum(place, max(self._entries - 1, 0))
        seen = self._keys[inside] == keys if self._entries else np.zeros(len(keys), dtype=bool)
        return np.where(seen, place, self._entries + columns)

    def _remember(self, column: int, value: float | str | msgspec.UnsetType | None, place: int) -> None:
        if isinstance(value, str) and len(value) > REMEMBERED_LENGTH:
            return
        if self._remembered >= REMEMBERED_VALUES:
            for places in self._places:
                places.clear()
            self._remembered = 0
        self._places[column][value] = place
        self._remembered += 1


def _salts(owner: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64], categories: int) -> npt.NDArray[np.uint64]:
    """A number per column, uint64[categories], with which no two entries of the tables get the same key."""
    generator = np.random.default_rng(0)
    while True:
        salts = generator.integers(0, 2**64 - 1, categories, dtype=np.uint64)
        if len(np.unique(hashes ^ salts[owner])) == len(hashes):
            return salts
