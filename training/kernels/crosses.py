"""The values of a pair of columns: `features.hashing.pair_hash` of many rows at once."""

import numpy as np
import numpy.typing as npt

from features.encoder import Several
from features.hashing import MISSING_HASH
from training.kernels import xxh64

Hashes = npt.NDArray[np.int64]
Values = Hashes | Several
"""Of a column in n rows: int64[n], or several each."""


def crossed(first: Values, second: Values) -> Values:
    """The values of the pair of two columns of the same rows, of which one at most holds several values.

    Those of a row stand in the order of its several ones; they are missing once where the single one is.
    """
    if isinstance(first, Several):
        if isinstance(second, Several):
            raise TypeError("only one column of a cross may hold several values")
        return _of_each(first, pair_hashes(first.hashes, second[first.row]))
    if isinstance(second, Several):
        return _of_each(second, pair_hashes(first[second.row], second.hashes))
    return pair_hashes(first, second)


def pair_hashes(first: Hashes, second: Hashes) -> Hashes:
    """The hash of each pair, int64[m], missing where one of its values is."""
    mixed = xxh64.of_whole_numbers(second, first.view(np.uint64)).view(np.int64)
    return np.where((first == MISSING_HASH) | (second == MISSING_HASH), MISSING_HASH, mixed)


def _of_each(several: Several, pairs: Hashes) -> Several:
    is_first = np.ones(len(pairs), dtype=np.bool_)
    is_first[1:] = several.row[1:] != several.row[:-1]
    kept = is_first | (pairs != MISSING_HASH)
    return Several(hashes=pairs[kept], row=several.row[kept])
