"""The kinds of arrays that this package uses. The service has no SciPy, so they are apart from what needs it."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


def place_of(items: Indices, known: Indices) -> Indices:
    """The place of each of the `items`, int64[n], in `known`, int64[k] ascending; k if it is not there."""
    at = np.searchsorted(known, items)
    at[np.append(known, -1)[at] != items] = len(known)
    return at
