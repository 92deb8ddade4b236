"""A record's values as the model's inputs.

The columns' tables are merged into one sorted array, each column's hashes mixed with a number of its own, and the first
bits of a hash lead to the few entries among which to search. Values are as unevenly frequent as clicks are, so where
the frequent ones stand is remembered: most records have few values left to search for, and then a loop in Python beats
NumPy's calls. Of a field with several values, the mean of what they stand for is remembered. `Encoder.encode` is the
plain form; a test holds them equal.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from features.encoder import Encoder
from features.hashing import hash_several, unsigned_hash
from features.schema import Schema
from scoring.model.records import Values

REMEMBERED_VALUES = 100_000
"""Fields whose place or mean is remembered, all columns together: about 16 MB, or 30 of several values each."""

REMEMBERED_LENGTH = 64
"""Longer values, in characters, are looked up each time, so that nobody fills the memory with them."""

HASH_BITS = 64
BUCKET_BITS = 4
"""The entries that share the first bits of their hash are 2 to this power at most, on average."""

Field = float | str | msgspec.UnsetType | None


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
        self._several = schema.several
        self._means: dict[int, dict[object, npt.NDArray[np.float32]]] = {column: {} for column in self._several}
        # A field of several values has no place: its pair is set afterwards.
        self._lookups: list[Callable[[object], int | None]] = [
            _no_place if column in self._several else places.get for column, places in enumerate(self._places)
        ]
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
        for column in self._several:
            start = numbers + 2 * column
            encoded[:, start : start + 2] = [self._mean(column, row[numbers + column]) for row in rows]
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
            # None, UNSET and the empty string are one missing value.
            place = found[index] = self._search(column, unsigned_hash(str(value) if value else ""))
            self._remember(self._places[column], value, place)
        return found  # type: ignore[return-value] # complete now

    def _mean(self, column: int, field: Field) -> npt.NDArray[np.float32]:
        """What the values in a field stand for on average, float32[2]: added up as `Several.means` does it."""
        known = self._means[column].get(field)
        if known is not None:
            return known
        hashes = hash_several(str(field) if field else "", self._several[column]).view(np.uint64)
        pairs = self._pairs[[self._search(column, unsigned) for unsigned in hashes.tolist()]]
        total: npt.NDArray[np.float64] = np.cumsum(pairs, axis=0, dtype=np.float64)[-1]
        mean = (total / len(pairs)).astype(np.float32)
        self._remember(self._means[column], field, mean)
        return mean

    def _remember(self, known: dict[object, Any], field: Field, meaning: object) -> None:
        """Keep what a field means, if it is not too long; all others are forgotten when there are too many."""
        if isinstance(field, str) and len(field) > REMEMBERED_LENGTH:
            return
        if self._remembered >= REMEMBERED_VALUES:
            for places in self._places:
                places.clear()
            for means in self._means.values():
                means.clear()
            self._remembered = 0
        known[field] = meaning
        self._remembered += 1

    def _search(self, column: int, unsigned: int) -> int:
        key = unsigned ^ self._salts[column]
        bucket = key >> self._shift
        place = bisect_left(self._keys, key, self._starts[bucket], self._starts[bucket + 1])
        return place if place < self._entries and self._keys[place] == key else self._entries + column


def _no_place(_field: object) -> int:
    return 0


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
