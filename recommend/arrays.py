"""The kinds of arrays that this package uses. The service has no SciPy, so they are apart from what needs it."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
