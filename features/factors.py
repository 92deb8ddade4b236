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

    `first` float32[v + 1, d] has one for each of the column's v places in the encoder, and behind them one for all
    other values; `second` float32[w + 1, d] has the same of the other column.
    """

    columns: tuple[int, int]
    first: npt.NDArray[np.float32]
    second: npt.NDArray[np.float32]

    def products(self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The dot products, float32[n], of the vectors at these places of either column, int64[n] each.

        They are added up in order and in double precision, in which a product of two float32 is exact: C gets the same
        result. NumPy's running sum keeps the order; its plain sum would not.
        """
        sums: npt.NDArray[np.float64] = np.cumsum(self.first[first].astype(np.float64) * self.second[second], axis=1)
        return sums[:, -1].astype(np.float32)
