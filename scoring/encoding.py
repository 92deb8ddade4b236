"""A record's values as the model's inputs.

The columns' tables are merged into one sorted array, each column's hashes mixed with a number of its own, and the first
bits of a hash lead to the few entries among which to search. Values are as unevenly frequent as clicks are, so where
the frequent ones stand is remembered: most records have few values left to search for, and then a loop in Python beats
NumPy's calls. `Encoder.encode` is the plain form; a test holds them equal.
"""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from features.encoder import Encoder
from features.hashing import unsigned_hash
from features.schema import Schema
from scoring.records import Values

REMEMBERED_VALUES = 100_000
"""Category values whose place is remembered, all columns together: about 16 MB."""

REMEMBERED_LENGTH = 64
"""Longer values, in characters, are looked up each time, so that nobody fills the memory with them."""

HASH_BITS = 64
BUCKET_BITS = 4
"""The entries that share the first bits of their hash are 2 to this power at most, on average."""


class RowEncoder:
    """The encoder of a bundle, arranged for few records at a time."""

    def __init__(self, schema: Schema, encoder: Encoder) -> None:
        self._numbers = len(schema.numeric)
        self._categories = len(schema.categorical)
        self._width = len(schema.encoded_features)
        self._entries = len(encoder.hashes)
        owner = np.repeat(np.arange(self._categories), np.diff(encoder.offsets))
        hashes = encoder.hashes.view(np.uint64)
        salts = _salts(owner, hashes, self._categories)
        keys = hashes ^ salts[owner]
        order = np.argsort(keys)
        keys = keys[order]
        self._salts: list[int] = salts.tolist()
        self._keys = keys.data
        self._shift = HASH_BITS - max(self._entries.bit_length() - BUCKET_BITS, 1)
        self._starts = _starts(keys, self._shift).data
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
        for index in wanted:
            column = index % self._categories
            value = rows[index // self._categories][self._numbers + column]
            place = found[index] = self._search(column, value)
            if not isinstance(value, str) or len(value) <= REMEMBERED_LENGTH:
                if self._remembered >= REMEMBERED_VALUES:
                    self._forget()
                self._places[column][value] = place
                self._remembered += 1
        return found  # type: ignore[return-value] # complete now

    def _forget(self) -> None:
        for places in self._places:
            places.clear()
        self._remembered = 0

    def _search(self, column: int, value: float | str | msgspec.UnsetType | None) -> int:
        # None, UNSET and the empty string are one missing value.
        key = unsigned_hash(str(value) if value else "") ^ self._salts[column]
        bucket = key >> self._shift
        place = bisect_left(self._keys, key, self._starts[bucket], self._starts[bucket + 1])
        return place if place < self._entries and self._keys[place] == key else self._entries + column


def _starts(keys: npt.NDArray[np.uint64], shift: int) -> npt.NDArray[np.int64]:
    """Where in the sorted `keys` those with each value of their first bits begin, and where the last ones end."""
    first = np.arange(2 ** (HASH_BITS - shift), dtype=np.uint64) << np.uint64(shift)
    return np.append(np.searchsorted(keys, first), len(keys))


def _salts(owner: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64], categories: int) -> npt.NDArray[np.uint64]:
    """A number per column, uint64[categories], with which no two entries of the tables get the same key."""
    generator = np.random.default_rng(0)
    while True:
        salts = generator.integers(0, 2**64 - 1, categories, dtype=np.uint64)
        if len(np.unique(hashes ^ salts[owner])) == len(hashes):
            return salts
