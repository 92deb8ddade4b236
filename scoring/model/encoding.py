"""A record's values as the model's inputs.

The columns' tables are one sorted array, each column's hashes mixed with a number of its own, so that one look-up
serves all categories of all records at once. Nothing of what was asked is remembered: a value costs the same whether it
was asked before or never seen. The kernel in C does it where there is one, else NumPy; `Encoder.encode` is the plain
form, and a test holds the three equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.encoder import Encoder
from features.factors import products
from features.hashing import hash_several, pair_hash, unsigned_hash
from features.schema import Schema
from scoring.model.records import Values
from scoring.native import KERNEL, Kernel

HASH_BITS = 64

Hashes = npt.NDArray[np.uint64]
Inputs = npt.NDArray[np.float64]
Field = float | str | msgspec.UnsetType | None


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the values of all columns stand for.

    `keys` uint64[v] ascends; it has the values' hashes, each mixed with its column's number in `salts` uint64[c].
    `pairs` float32[v + c, 2] has rate and log count of each, and behind them those of a value that its column's table
    lacks. The keys whose first bits, down to bit `shift`, are the number `b` lie from `starts[b]` to before
    `starts[b + 1]`, uint32[2 ** (64 - shift) + 1]: one on average, or fewer. `vectors` float32[m, d] are those of the
    factors, and `vector_of` uint32[v + c] says which one each entry of `pairs` has; both are empty without factors.
    """

    salts: Hashes
    keys: Hashes
    pairs: npt.NDArray[np.float32]
    starts: npt.NDArray[np.uint32]
    shift: int
    vectors: npt.NDArray[np.float32]
    vector_of: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """Those of an encoder."""
        owner = np.repeat(np.arange(len(encoder.columns)), np.diff(encoder.offsets))
        hashes = encoder.hashes.view(np.uint64)
        salts = _salts(owner, hashes, len(encoder.columns))
        keys = hashes ^ salts[owner]
        order = np.argsort(keys)
        known = np.column_stack((encoder.rates, encoder.log_counts))[order]
        keys = keys[order]
        shift = HASH_BITS - max(len(keys).bit_length(), 1)
        first = np.arange(2 ** (HASH_BITS - shift), dtype=np.uint64) << np.uint64(shift)
        starts = np.append(np.searchsorted(keys, first), len(keys)).astype(np.uint32)
        pairs = np.concatenate((known, encoder.unseen)).astype(np.float32)
        vectors, vector_of = _vectors(encoder, order)
        return cls(
            salts=salts, keys=keys, pairs=pairs, starts=starts, shift=shift, vectors=vectors, vector_of=vector_of
        )

    def places(self, hashes: Hashes, columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where `pairs` has the values with these hashes, uint64[n], in these columns, int64[n]."""
        wanted = hashes ^ self.salts[columns]
        place = np.searchsorted(self.keys, wanted)
        known = np.zeros(len(wanted), dtype=np.bool_)
        inside = place < len(self.keys)
        known[inside] = self.keys[place[inside]] == wanted[inside]
        return np.where(known, place, len(self.keys) + columns)


class RowEncoder:
    """The encoder of a bundle, arranged for few records at a time."""

    def __init__(self, schema: Schema, encoder: Encoder, kernel: Kernel | None = KERNEL) -> None:
        self._numbers = len(schema.numeric)
        self._fields = np.arange(len(schema.categorical))
        self._width = len(schema.encoded_features)
        self._several = schema.several
        self._crossed = schema.crossed
        self._factored = schema.factored
        self._tables = tables = Tables.of(encoder)
        self._kernel = kernel
        if kernel is not None:
            separators = tuple(self._several.get(column) for column in range(len(schema.categorical)))
            crosses = np.array([*self._crossed.values()], dtype=np.int64)
            self._prepared = kernel.prepare_tables(
                self._numbers,
                tables.keys,
                tables.starts,
                tables.pairs,
                tables.salts,
                tables.shift,
                separators,
                crosses,
                tables.vectors,
                tables.vector_of,
                self._factored or (0, 0),
                tables.vectors.shape[1],
            )

    def encode(self, rows: list[Values]) -> Inputs:
        """The model's inputs, float64[n, f], for `rows` in the order of `Schema.features`."""
        encoded = np.empty((len(rows), self._width), dtype=np.float64)
        if self._kernel is not None:
            self._kernel.encode(self._prepared, rows, msgspec.UNSET, encoded)
        else:
            self._encode(rows, encoded)
        return encoded

    def _encode(self, rows: Sequence[Values], encoded: Inputs) -> None:
        numbers, categories = self._numbers, len(self._fields)
        encoded[:, :numbers] = [row[:numbers] for row in rows]  # None becomes NaN, as absent numbers are
        hashes = _hashes(field for row in rows for field in row[numbers:])
        places = self._tables.places(hashes, np.tile(self._fields, len(rows)))
        pairs = self._tables.pairs[places]
        encoded[:, numbers : numbers + 2 * categories] = pairs.reshape(len(rows), 2 * categories)
        if self._factored is not None:
            own = places.reshape(len(rows), categories)[:, self._factored]
            first, second = self._tables.vectors[self._tables.vector_of[own]].swapaxes(0, 1)
            encoded[:, -2] = products(first, second)
            encoded[:, -1] = self._tables.pairs[own, 1].min(axis=1)
        for column in (*self._several, *self._crossed):
            start = numbers + 2 * column
            for row, inputs in zip(rows, encoded, strict=True):
                inputs[start : start + 2] = self._mean(column, row[numbers:])

    def _mean(self, column: int, fields: Values) -> npt.NDArray[np.float32]:
        """What the values in a field, or the pairs in two, stand for on average, float32[2].

        Added up as `Several.means` does it.
        """
        first, *second = (self._values(one, fields[one]) for one in self._crossed.get(column, (column,)))
        if second:
            first = list(dict.fromkeys(pair_hash(one, other) for one in first for other in second[0]))
        pairs = self._tables.pairs[self._tables.places(np.array(first, dtype=np.uint64), np.full(len(first), column))]
        total: npt.NDArray[np.float64] = np.cumsum(pairs, axis=0, dtype=np.float64)[-1]
        return (total / len(pairs)).astype(np.float32)

    def _values(self, column: int, field: Field) -> list[int]:
        """The hashes of the values in a field, unsigned."""
        separator = self._several.get(column)
        if separator is None:
            return [unsigned_hash(_text(field))]
        values: list[int] = hash_several(_text(field), separator).view(np.uint64).tolist()
        return values


def _hashes(fields: Iterable[Field]) -> Hashes:
    return np.fromiter((unsigned_hash(_text(field)) for field in fields), dtype=np.uint64)


def _text(field: Field) -> str:
    """None, UNSET and the empty string are one missing value."""
    return str(field) if field else ""


def _vectors(encoder: Encoder, order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
    """The vectors of both columns' values, float32[m, d], and which one each value has, uint32[v + c].

    `order` has the values as `Tables.keys` has them; behind them come each column's values that have no place.
    """
    factors = encoder.factors
    if factors is None:
        return np.empty((0, 0), dtype=np.float32), np.empty(0, dtype=np.uint32)
    known, others = np.zeros(len(order), dtype=np.uint32), np.zeros(len(encoder.columns), dtype=np.uint32)
    start = 0
    for column, vectors in zip(factors.columns, (factors.first, factors.second), strict=True):
        known[encoder.column(column)] = np.arange(start, start + len(vectors) - 1)
        start += len(vectors)
        others[column] = start - 1
    return np.concatenate((factors.first, factors.second)), np.concatenate((known[order], others))


def _salts(owner: npt.NDArray[np.int64], hashes: Hashes, categories: int) -> Hashes:
    """A number per column, uint64[categories], with which no two entries of the tables get the same key."""
    generator = np.random.default_rng(0)
    while True:
        salts = generator.integers(0, 2**64 - 1, categories, dtype=np.uint64)
        if len(np.unique(hashes ^ salts[owner])) == len(hashes):
            return salts
