"""A record's values as the model's inputs: all categorical values of a request are looked up in one sorted array.

The columns' tables are merged into one, each column's hashes mixed with a number of its own, so that a request costs
one binary search call however many columns there are. `Encoder.encode` is the plain form; a test holds them equal.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from features.encoder import Encoder
from features.hashing import HASH_SEED
from features.schema import Schema
from scoring.records import Values


class RowEncoder:
    """The encoder of a bundle, arranged for few records at a time."""

    def __init__(self, schema: Schema, encoder: Encoder) -> None:
        self._numbers = len(schema.numeric)
        self._categories = len(schema.categorical)
        self._width = len(schema.encoded_features)
        entries = len(encoder.hashes)
        owner = np.repeat(np.arange(self._categories), np.diff(encoder.offsets))
        self._salts = _salts(owner, encoder.hashes.view(np.uint64), self._categories)
        keys = encoder.hashes.view(np.uint64) ^ self._salts[owner]
        order = np.argsort(keys)
        self._keys = keys[order] if entries else np.zeros(1, dtype=np.uint64)
        known = np.column_stack((encoder.rates, encoder.log_counts))
        # A value that no table has finds its column's pair behind the known ones.
        self._pairs = np.concatenate((known[order], encoder.unseen)).astype(np.float32)
        self._unseen = np.arange(entries, entries + self._categories)
        self._entries = entries

    def encode(self, rows: Sequence[Values]) -> npt.NDArray[np.float64]:
        """The model's inputs, float64[n, f], for `rows` in the order of `Schema.features`."""
        count, numbers = len(rows), self._numbers
        encoded = np.empty((count, self._width), dtype=np.float64)
        if numbers:
            encoded[:, :numbers] = [row[:numbers] for row in rows]  # None becomes NaN, as absent numbers are
        if self._categories:
            pairs = self._pairs.take(self._positions(rows), axis=0)
            encoded[:, numbers:] = pairs.reshape(count, 2 * self._categories)
        return encoded

    def _positions(self, rows: Sequence[Values]) -> npt.NDArray[np.int64]:
        digest, numbers = xxhash.xxh64_intdigest, self._numbers
        hashes = np.array(
            [digest((value or "").encode(), HASH_SEED) for row in rows for value in row[numbers:]],  # type: ignore[union-attr] # categories are strings
            dtype=np.uint64,
        ).reshape(len(rows), self._categories)
        wanted = hashes ^ self._salts
        found = self._keys.searchsorted(wanted)
        seen = self._keys.take(found, mode="clip") == wanted
        if not self._entries:
            seen[:] = False
        return np.where(seen, found, self._unseen)


def _salts(owner: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64], categories: int) -> npt.NDArray[np.uint64]:
    """A number per column, uint64[categories], with which no two entries of the tables get the same key."""
    generator = np.random.default_rng(0)
    while True:
        salts = generator.integers(0, 2**64 - 1, categories, dtype=np.uint64)
        if len(np.unique(hashes ^ salts[owner])) == len(hashes):
            return salts
