"""The kinds of arrays that this package uses. The service has no SciPy, so they are apart from what needs it."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]


def distinct(numbers: Indices) -> Indices:
    """These numbers ascending, each once. For a history `np.unique` takes three times as long."""
    ordered = np.sort(numbers)
    is_first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
