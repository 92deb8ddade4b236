"""Arrays of Spark as matrices of NumPy and back: a column in which each row holds equally many numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import Several
from features.schema import Schema
from training.preparation import several


def matrix(column: pa.ListArray, width: int) -> npt.NDArray[Any]:
    """The rows of `column`, n lists of `width` numbers each, as a matrix [n, width]."""
    values: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), width)


class RawInputs(NamedTuple):
    """What `Encoder.encode` makes the inputs of n rows from: float64[n, p], int64[n, c], and the columns that hold
    several values by their index."""

    numeric: npt.NDArray[np.float64]
    hashes: npt.NDArray[np.int64]
    several: dict[int, Several]


def raw_inputs(columns: Sequence[pa.ListArray], schema: Schema) -> RawInputs:
    """The prepared rows whose columns `training.preparation.prepare.raw_columns` names."""
    numeric, hashes, *values = columns
    return RawInputs(
        numeric=matrix(numeric, len(schema.numeric)),
        hashes=matrix(hashes, len(schema.categorical)),
        several=several.of_columns(values[0], schema) if values else {},
    )


def array(rows: npt.NDArray[np.float64]) -> pa.ListArray:
    """A matrix [n, width] as n lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))
