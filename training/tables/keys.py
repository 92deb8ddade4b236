"""Finds rows by their keys."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.kernels.xxh64 import distinct_texts


@dataclass(frozen=True, kw_only=True)
class KnownKeys:
    """The `hashes` of n keys, at least one, int64[n] ascending, and the `rows` that have them, int64[n].

    Arrow's `index_in` would build its table of all known keys again for each block of rows. Among ten million keys, two
    others share a hash in three of a million datasets.
    """

    hashes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, keys: pa.StringArray) -> "KnownKeys":
        """These keys, which are all different."""
        hashes = distinct_texts(keys)
        rows = np.argsort(hashes)
        return cls(hashes=hashes[rows], rows=rows)

    def find(self, keys: pa.StringArray) -> pa.Int64Array:
        """The row of each of `keys`, null if it is not known."""
        distinct = keys.dictionary_encode()
        hashes = distinct_texts(distinct.dictionary)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        unknown = self.hashes[place] != hashes
        return pa.array(self.rows[place], mask=unknown).take(distinct.indices)
