"""Encodes records: with the kernel in C if there is one, else with the reference in `features.encoder`. A test compares
the two.

For the kernel, the tables of all columns are merged into one sorted array, each column's hashes mixed with its own
number. There is no cache: a value that was never seen costs the same as a known one.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from features.columns import Category, Cross, FactorPair, Number
from features.encoder import Encoder, RawRows
from features.schema import Schema
from scoring.model.records import Values
from scoring.native import KERNEL, Kernel

HASH_BITS = 64

Hashes = npt.NDArray[np.uint64]
Inputs = npt.NDArray[np.float64]


_IN_KERNEL = (Number, Category, Cross, FactorPair)
"""The kinds of columns that the kernel encodes. Their fields and inputs come first; the reference adds the others."""


class RowEncoder:
    """A bundle's encoder for the records of requests."""

    def __init__(self, schema: Schema, encoder: Encoder, kernel: Kernel | None = KERNEL) -> None:
        self._schema = schema
        self._encoder = encoder
        self._width = len(schema.encoded_features)
        self._others = [column for column in schema.columns if type(column) not in _IN_KERNEL]
        self._kernel = kernel
        if kernel is not None:
            self._prepared = _prepared(schema, encoder, kernel)

    def encode(self, records: list[Values]) -> Inputs:
        """The model's inputs, float64[n, f], for `records` in the order of `Schema.fields`."""
        if self._kernel is None:
            return RawRows.of_records(self._schema, records).encode(self._encoder)
        encoded = np.empty((len(records), self._width), dtype=np.float64)
        self._kernel.encode(self._prepared, records, msgspec.UNSET, encoded)
        if self._others:
            fields = [
                None if type(field) in _IN_KERNEL else field.read([record[field.at] for record in records])
                for field in self._schema.fields
            ]
            RawRows(schema=self._schema, fields=fields).fill(encoded, self._others, self._encoder)
        return encoded


def _prepared(schema: Schema, encoder: Encoder, kernel: Kernel) -> object:
    """The encoder's tables of all columns, merged, for `kernel.encode`.

    `keys`, uint64[v] ascending, has the values' hashes, each mixed with its column's number in `salts`, uint64[c].
    `pairs`, float32[v + c, 2], has the rate and log count of each, followed by those of each column's unknown values.
    Keys whose upper bits, down to bit `shift`, are the number `b` lie from `starts[b]` to before `starts[b + 1]`,
    uint32[2 ** (64 - shift) + 1]: at most one on average.
    """
    owner = np.repeat(np.arange(len(encoder.columns)), np.diff(encoder.offsets))
    hashes = encoder.hashes.view(np.uint64)
    salts = _salts(owner, hashes, len(encoder.columns))
    keys = hashes ^ salts[owner]
    order = np.argsort(keys)
    keys = keys[order]
    known = np.column_stack((encoder.rates, encoder.log_counts))[order]
    pairs = np.concatenate((known, encoder.unseen)).astype(np.float32)
    shift = HASH_BITS - max(len(keys).bit_length(), 1)
    first = np.arange(2 ** (HASH_BITS - shift), dtype=np.uint64) << np.uint64(shift)
    starts = np.append(np.searchsorted(keys, first), len(keys)).astype(np.uint32)
    crosses = [(column.first.index, column.second.index) for column in schema.encoded if isinstance(column, Cross)]
    vectors, vector_of = _vectors(encoder, order)
    pair = schema.factored
    return kernel.prepare_tables(
        len(schema.fields),
        len(schema.encoded_features),
        len(schema.numeric),
        keys,
        starts,
        pairs,
        salts,
        shift,
        tuple(column.separator or None for column in schema.texts),
        np.array(crosses, dtype=np.int64),
        vectors,
        vector_of,
        (pair.first.index, pair.second.index) if pair else (0, 0),
        vectors.shape[1],
    )


def _vectors(encoder: Encoder, order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
    """The vectors of both columns' values, float32[m, d], and the index of each value's vector, uint32[v + c]; both are
    empty without factors.

    `order` is the values' order among the merged keys; each column's unknown values follow.
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
    """A number for each column, uint64[categories], so that no two entries of the tables get the same key."""
    generator = np.random.default_rng(0)
    while True:
        salts = generator.integers(0, 2**64 - 1, categories, dtype=np.uint64)
        if len(np.unique(hashes ^ salts[owner])) == len(hashes):
            return salts
