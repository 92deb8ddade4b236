"""A LightGBM model in memory, with the C API's call for predictions of many rows.

Each call uses one thread: a service has as many workers as cores, and a second thread would make single rows slower.
"""

import ctypes
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scoring.engines.library import DTYPE_FLOAT64, check, library
from scoring.errors import EngineError

PARAMETERS = b"num_threads=1"


class Prediction(IntEnum):
    """The kinds of predictions, with their numbers in LightGBM's `c_api.h`."""

    PROBABILITY = 0
    RAW_SCORE = 1
    CONTRIBUTIONS = 3


class Booster:
    """A loaded model."""

    def __init__(self, model: Path, features: int) -> None:
        """Load the model file; raises `EngineError` if LightGBM can't, or if it doesn't take `features` inputs."""
        api = library()
        self.handle = ctypes.c_void_p()
        self.features = features
        iterations = ctypes.c_int()
        check(
            api.LGBM_BoosterCreateFromModelfile(
                str(model).encode(), ctypes.byref(iterations), ctypes.byref(self.handle)
            )
        )
        expected = ctypes.c_int()
        check(api.LGBM_BoosterGetNumFeature(self.handle, ctypes.byref(expected)))
        if expected.value != features:
            raise EngineError(
                f"The model in {model} takes {expected.value} inputs, but the bundle's schema gives {features}. "
                "Train the model again."
            )

    def predict(self, batch: npt.NDArray[np.float64], kind: Prediction) -> npt.NDArray[np.float64]:
        """The predictions of this `kind` for the rows of `batch`, float64[n, f] and C-contiguous; raises `EngineError`.

        Returns float64[n], or for contributions float64[n, f + 1]: the last column is the model's average raw score,
        and a row's contributions sum to its raw score.
        """
        rows = len(batch)
        shape = (rows, self.features + 1) if kind is Prediction.CONTRIBUTIONS else (rows,)
        results = np.empty(shape, dtype=np.float64)
        length = ctypes.c_int64()
        check(
            library().LGBM_BoosterPredictForMat(
                self.handle,
                ctypes.c_void_p(batch.ctypes.data),
                DTYPE_FLOAT64,
                ctypes.c_int32(rows),
                ctypes.c_int32(self.features),
                1,
                int(kind),
                0,
                -1,
                PARAMETERS,
                ctypes.byref(length),
                ctypes.c_void_p(results.ctypes.data),
            )
        )
        return results

    def close(self) -> None:
        """Free the model; it can't be used afterwards."""
        check(library().LGBM_BoosterFree(self.handle))
