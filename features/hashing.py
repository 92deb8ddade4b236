"""Category values as 64-bit integers, which are those of Spark's own `xxhash64`; a field of several values is split."""

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


MISSING_HASH = hash_value("")
"""Of a category that is missing, which is the empty text."""
UNSIGNED_MISSING = unsigned_hash("")


def hash_values(values: Iterable[str]) -> npt.NDArray[np.int64]:
    """`hash_value` of each value, as int64 of the same length."""
    return np.fromiter(map(unsigned_hash, values), dtype=np.uint64).view(np.int64)


def pair_hash(first: int, second: int) -> int:
    """What a pair of values with these hashes, unsigned 64-bit integers, hashes to: XXH64 of the second one's eight
    bytes, from the first one as seed, as Spark's `xxhash64` goes on from column to column.

    A pair without one of its values is missing.
    """
    if UNSIGNED_MISSING in {first, second}:
        return UNSIGNED_MISSING
    return xxhash.xxh64_intdigest(second.to_bytes(8, "little"), first)


def split_values(text: str, separator: str) -> list[str]:
    """The distinct values in a field that holds several, without the spaces around them; one "" where there is none."""
    values = dict.fromkeys(part.strip(" ") for part in text.split(separator))
    values.pop("", None)
    return list(values) or [""]


def hash_several(text: str, separator: str) -> npt.NDArray[np.int64]:
    """`hash_value` of each value in a field that holds several, ascending, so that their order makes no difference."""
    return np.unique(hash_values(split_values(text, separator)))
