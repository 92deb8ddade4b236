"""The values of one column in n rows: numbers, one category a row, or several."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.hashing import MISSING_HASH, Hashes, pair_hashes

Numbers = npt.NDArray[np.float64]
"""One number a row, float64[n], NaN for missing."""
RowOfEach = npt.NDArray[np.int64] | slice
"""The row of each of m values, int64[m], or `EACH` if every row has one value."""
EACH = slice(None)


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
