"""Latent factors of two categorical columns: a vector for each value. The product of two values' vectors predicts what
one user thinks of one item even if nobody has seen the two together.

`training.kernels.factors` fits the vectors.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Factors:
    """The vectors of two columns, named by their index in the encoder.

    `first`, float32[v + 1, d], has a vector for each of the column's v values in the encoder, and a last one for all
    other values. `second`, float32[w + 1, d], has the same for the other column.
    """

    columns: tuple[int, int]
    first: npt.NDArray[np.float32]
    second: npt.NDArray[np.float32]

    def products(self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The dot products, float32[n], of the vectors at these places of the two columns, int64[n] each.

        Summed in order and in double precision, where a product of two float32 is exact, so that C gets the same
        result. NumPy's `cumsum` keeps the order; its `sum` does not.
        """
        sums: npt.NDArray[np.float64] = np.cumsum(self.first[first].astype(np.float64) * self.second[second], axis=1)
        return sums[:, -1].astype(np.float32)
