"""Category values as 64-bit integers, the same on Spark (`xxhash64`) and in plain Python."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import xxhash

HASH_SEED = 42
"""The seed of Spark's `xxhash64`, which cannot be changed there."""


def unsigned_hash(value: str) -> int:
    """XXH64 of the UTF-8 bytes of `value`, as an unsigned 64-bit integer."""
    return xxhash.xxh64_intdigest(value.encode(), HASH_SEED)


def hash_value(value: str) -> int:
    """`unsigned_hash` as a signed integer: what Spark's `xxhash64(value)` returns."""
    unsigned = unsigned_hash(value)
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def hash_values(values: Iterable[str]) -> npt.NDArray[np.int64]:
    """`hash_value` of each value, as int64 of the same length."""
    return np.fromiter(map(unsigned_hash, values), dtype=np.uint64).view(np.int64)
