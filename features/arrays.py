"""The values of one field or column in n rows, in the forms that a column of the schema can have."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.hashing import MISSING_HASH, Hashes, pair_hashes

Numbers = npt.NDArray[np.float64]
"""One number a row, float64[n], NaN where it is missing."""
RowOfEach = npt.NDArray[np.int64] | slice
"""The row of each of m values, int64[m], or all rows where each has one value."""
EACH = slice(None)


class Several(NamedTuple):
    """The values of n rows in a column that holds several: `hashes` int64[m], and `row` int64[m] of each.

    Ascending by row, then hash; those of a cross are in the order of its column with several values. Each row has at
    least one value: that of the empty string if it has no other.
    """

    hashes: Hashes
    row: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.row[-1]) + 1 if len(self.row) else 0

    def means(self, of_values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The mean over each row's values, float32[n], of what these stand for, float32[m]."""
        means: npt.NDArray[np.float64] = np.bincount(self.row, weights=of_values) / np.bincount(self.row)
        return means.astype(np.float32)


Categories = Hashes | Several
"""One hash a row, int64[n], or several."""
Values = Numbers | Categories


def crossed(first: Categories, second: Categories) -> Categories:
    """The values of a pair of columns in the same rows; at most one of the two may hold several values.

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
