"""Latent factors of two categorical columns: a vector for each value, so that two values' product tells what one user
thinks of one item, though nobody has seen the two together.

`training.kernels.factors` fits them; here is what training and the service do with them.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.crosses import Cross


def factors_name(pair: Cross) -> str:
    """What the column that follows from the factors of a pair is called."""
    return " with ".join(pair)


def problem_of_factors(pair: Cross, *, categorical: Collection[str], several: Collection[str]) -> str | None:
    """What is wrong with a pair that cannot have factors; the columns `several` hold several values."""
    first, second = pair
    if first == second:
        return f"the factors are of {first} and of {first} again: name two columns"
    for name in pair:
        if name not in categorical:
            return f"the factors of {first} and {second} need {name}, which is not named under `categorical`"
        if name in several:
            return f"{name} holds several values, and factors are of columns with one"
    return None


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
        """The products, float32[n], of the vectors at these places of either column, int64[n] each."""
        return products(self.first[first], self.second[second])


def products(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The dot product, float32[n], of each two vectors float32[n, d].

    Added up in order and in double precision, where a product of two such numbers is exact: in C it is the same. A
    running sum is in order, which a sum that NumPy splits in two is not.
    """
    sums: npt.NDArray[np.float64] = np.cumsum(one.astype(np.float64) * other, axis=1)
    return sums[:, -1].astype(np.float32)
