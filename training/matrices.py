"""Arrays of Spark as matrices of NumPy and back: a column in which each row holds equally many numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def matrix(column: pa.ListArray, width: int) -> npt.NDArray[Any]:
    """The rows of `column`, n lists of `width` numbers each, as a matrix [n, width]."""
    values: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), width)


def array(rows: npt.NDArray[np.float64]) -> pa.ListArray:
    """A matrix [n, width] as n lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))
