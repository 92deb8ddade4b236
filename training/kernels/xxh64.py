"""XXH64 of many texts at once, each with its own seed. The hash of a row is a chain over its columns: each column's
hash is the seed of the next, and a missing value leaves the seed unchanged.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from features.hashing import HASH_SEED, P1, P2, P3, P5, Unsigned, finished, rotated, with_word

_STRIPE = 32
"""From this many bytes on XXH64 works in stripes. Such long values are rare, and left to the package `xxhash`."""


def first_seeds(rows: int) -> Unsigned:
    """The first seed of each row's chain, uint64[n]."""
    return np.full(rows, HASH_SEED, dtype=np.uint64)


def of_texts(texts: pa.StringArray, seeds: Unsigned) -> Unsigned:
    """The hash of each text's UTF-8 bytes, uint64[n], from `seeds`, uint64[n]; the seed itself for null."""
    lengths = np.diff(_offsets(texts))
    hashes = seeds.copy()
    if texts.null_count:
        lengths[texts.is_null().to_numpy(zero_copy_only=False)] = -1
    for length in _distinct(lengths[lengths >= 0]):
        rows = np.flatnonzero(lengths == length)
        if length < _STRIPE:
            hashes[rows] = _of_bytes(_matrix(texts, rows, length), seeds[rows])
        else:
            values = texts.take(pa.array(rows)).cast(pa.binary())
            pairs = zip(values.to_pylist(), seeds[rows].tolist(), strict=True)
            hashes[rows] = np.fromiter((xxhash.xxh64_intdigest(*pair) for pair in pairs), np.uint64, len(rows))
    return hashes


def distinct_texts(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    """`features.hashing.hash_value` of each text, int64[n]; none may be null."""
    return of_texts(texts, first_seeds(len(texts))).view(np.int64)


def _of_bytes(values: npt.NDArray[np.uint8], seeds: Unsigned) -> Unsigned:
    """The hash of each row of bytes [n, length], of fewer than `_STRIPE` bytes."""
    length = values.shape[1]
    hashes = seeds + P5 + np.uint64(length)
    position = 0
    while position + 8 <= length:
        hashes = with_word(hashes, _column(values, position, 8).view(np.uint64))
        position += 8
    if position + 4 <= length:
        hashes ^= _column(values, position, 4).view(np.uint32).astype(np.uint64) * P1
        hashes = rotated(hashes, 23) * P2 + P3
        position += 4
    for last in range(position, length):
        hashes ^= values[:, last].astype(np.uint64) * P5
        hashes = rotated(hashes, 11) * P1
    return finished(hashes)


def _distinct(lengths: npt.NDArray[np.int32]) -> list[int]:
    """The distinct lengths. Short ones, which nearly all are, are found by counting, without sorting."""
    short = lengths < _STRIPE
    counted: list[int] = np.flatnonzero(np.bincount(lengths[short], minlength=1)).tolist()
    return counted if short.all() else counted + np.unique(lengths[~short]).tolist()


def _offsets(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Where each text begins in the array's bytes, and where the last one ends: int32[n + 1]."""
    return np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)


def _matrix(texts: pa.StringArray, rows: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.uint8]:
    """The bytes of the texts of these rows, all of them `length` long: uint8[m, length]."""
    chosen = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
    if length == 0:
        return np.empty((len(rows), 0), dtype=np.uint8)
    data = np.frombuffer(chosen.buffers()[2], np.uint8, len(rows) * length, int(_offsets(chosen)[0]))
    return data.reshape(len(rows), length)


def _column(values: npt.NDArray[np.uint8], start: int, size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes of each row from `start` on, contiguous."""
    return np.ascontiguousarray(values[:, start : start + size]).ravel()
