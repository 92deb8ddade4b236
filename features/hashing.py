"""Category values as 64-bit integers: XXH64 of their UTF-8 bytes. A field with several values is split first.

The hashes decide which rows are held out and are stored in bundles, so none of them may ever change.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

HASH_SEED = 42

Hashes = npt.NDArray[np.int64]
Unsigned = npt.NDArray[np.uint64]

P1, P2, P3, P4, P5 = (
    np.uint64(prime)
    for prime in (
        11400714785074694791,
        14029467366897019727,
        1609587929392839161,
        9650029242287828579,
        2870177450012600261,
    )
)
"""The primes of XXH64 (Collet, "xxHash fast digest algorithm", https://github.com/Cyan4973/xxHash)."""

Numbers = npt.NDArray[np.float64]
"""One number a row, float64[n], NaN for missing."""
RowOfEach = npt.NDArray[np.int64] | slice
"""The row of each of m values, int64[m], or `EACH` if every row has one value."""
EACH = slice(None)


def hash_value(value: str) -> int:
    """XXH64 of the UTF-8 bytes of `value`, as a signed 64-bit integer."""
    unsigned = _unsigned_hash(value)
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def _unsigned_hash(value: str) -> int:
    return xxhash.xxh64_intdigest(value.encode(), HASH_SEED)


MISSING_HASH = hash_value("")
"""A missing category is the empty text."""


def hash_values(values: Iterable[str]) -> Hashes:
    """`hash_value` of each value, as int64 of the same length."""
    return np.fromiter(map(_unsigned_hash, values), dtype=np.uint64).view(np.int64)


def split_values(text: str, separator: str) -> list[str]:
    """The distinct values in a field with several, without surrounding spaces; one "" if there are none."""
    values = dict.fromkeys(part.strip(" ") for part in text.split(separator))
    values.pop("", None)
    return list(values) or [""]


def hash_several(text: str, separator: str) -> Hashes:
    """`hash_value` of each value in a field with several, ascending, so that their order does not matter."""
    return np.unique(hash_values(split_values(text, separator)))


def pair_hashes(first: Hashes, second: Hashes) -> Hashes:
    """The hash of each pair of values, int64[m], from the two values' hashes, int64[m] each.

    XXH64 of the second hash's eight bytes, with the first hash as seed. A pair is missing if one of its values is.
    """
    mixed = hash_whole_numbers(second, first.view(np.uint64)).view(np.int64)
    return np.where((first == MISSING_HASH) | (second == MISSING_HASH), MISSING_HASH, mixed)


def hash_whole_numbers(values: npt.NDArray[np.int64], seeds: Unsigned) -> Unsigned:
    """XXH64 of each 64-bit integer's eight bytes, uint64[n], from `seeds` uint64[n]."""
    return finished(with_word(seeds + P5 + np.uint64(8), values.view(np.uint64)))


def with_word(hashes: Unsigned, word: Unsigned) -> Unsigned:
    """Intermediate hashes after eight more bytes each."""
    return rotated(hashes ^ (rotated(word * P2, 31) * P1), 27) * P1 + P4


def finished(hashes: Unsigned) -> Unsigned:
    """The last step of XXH64, its avalanche."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * P2
    hashes = (hashes ^ (hashes >> np.uint64(29))) * P3
    mixed: Unsigned = hashes ^ (hashes >> np.uint64(32))
    return mixed


def rotated(values: Unsigned, bits: int) -> Unsigned:
    """The values with their bits rotated to the left."""
    turned: Unsigned = (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))
    return turned


class Several(NamedTuple):
    """The values of n rows that can have several: `hashes`, int64[m], and the `row` of each, int64[m].

    Ascending by row, then hash; a cross keeps the order of its column with several values. Each row has at least one
    value, the empty string's if it has no other.
    """

    hashes: Hashes
    row: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.row[-1]) + 1 if len(self.row) else 0

    def means(self, of_values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The mean of `of_values`, float32[m], over each row's values, float32[n]."""
        means: npt.NDArray[np.float64] = np.bincount(self.row, weights=of_values) / np.bincount(self.row)
        return means.astype(np.float32)


Categories = Hashes | Several
"""One hash a row, int64[n], or several."""
Values = Numbers | Categories


def at_rows(values: Values, rows: npt.NDArray[np.int64]) -> Values:
    """The values of the rows at these places, int64[n], in their order."""
    if not isinstance(values, Several):
        return values[rows]
    counts = np.bincount(values.row)
    row, place = spread(counts[rows])
    return Several(hashes=values.hashes[(np.cumsum(counts) - counts)[rows][row] + place], row=row)


def spread(counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The row of each entry, int64[m], and its place in the row, int64[m], where rows have so many, int64[n]."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - (np.cumsum(counts) - counts)[row]


def crossed(first: Categories, second: Categories) -> Categories:
    """The values of a pair of columns in the same rows. At most one of the two may have several values.

    A row's pairs are in the order of its several values. Where the single value is missing, the row has one missing
    pair.
    """
    if isinstance(first, Several):
        if isinstance(second, Several):
            raise TypeError("only one column of a cross may hold several values")
        return _pairs(first, pair_hashes(first.hashes, second[first.row]))
    if isinstance(second, Several):
        return _pairs(second, pair_hashes(first[second.row], second.hashes))
    return pair_hashes(first, second)


def _pairs(several: Several, pairs: Hashes) -> Several:
    is_first = np.ones(len(pairs), dtype=np.bool_)
    is_first[1:] = several.row[1:] != several.row[:-1]
    kept = is_first | (pairs != MISSING_HASH)
    return Several(hashes=pairs[kept], row=several.row[kept])
