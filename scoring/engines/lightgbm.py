"""Engine `lightgbm`: LightGBM's C API in the worker's own thread, with its prepared call for a single row.

One thread a call: a service has as many workers as cores, and a second thread costs a single row more than it saves.
"""

import ctypes
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scoring.engines.library import DTYPE_FLOAT64, PREDICT_NORMAL, check, library
from scoring.errors import EngineError

PARAMETERS = b"num_threads=1"


class LightGbmEngine:
    """A loaded model. Not safe for use by two threads at once: the single-row call shares its buffers."""

    def __init__(self, model: Path, features: int) -> None:
        """Load the model file; raises `EngineError` when LightGBM refuses it or it takes another number of inputs."""
        api = library()
        self._booster = ctypes.c_void_p()
        iterations = ctypes.c_int()
        check(
            api.LGBM_BoosterCreateFromModelfile(
                str(model).encode(), ctypes.byref(iterations), ctypes.byref(self._booster)
            )
        )
        expected = ctypes.c_int()
        check(api.LGBM_BoosterGetNumFeature(self._booster, ctypes.byref(expected)))
        if expected.value != features:
            raise EngineError(
                f"The model in {model} takes {expected.value} inputs, but the bundle's schema gives {features}. "
                "Train the model again."
            )
        self._features = features
        self._single = ctypes.c_void_p()
        check(
            api.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster, PREDICT_NORMAL, 0, -1, DTYPE_FLOAT64, features, PARAMETERS, ctypes.byref(self._single)
            )
        )
        self._length = ctypes.c_int64()
        self._probability = ctypes.c_double()
        self._predict_row = api.LGBM_BoosterPredictForMatSingleRowFast
        self._predict_row.argtypes = [ctypes.c_void_p] * 4
        self._as_row = (ctypes.c_double * features).from_buffer  # twice as fast as `batch.ctypes`
        self._row_results = (ctypes.addressof(self._length), ctypes.addressof(self._probability))

    async def score(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f]; see `Engine.score`."""
        if len(batch) == 1:
            code = self._predict_row(self._single, self._as_row(batch), *self._row_results)  # type: ignore[arg-type] # NumPy 1 does not say so
            if code != 0:
                check(code)
            return [self._probability.value]
        return self._score_many(batch)

    def close(self) -> None:
        """Free the model."""
        api = library()
        check(api.LGBM_FastConfigFree(self._single))
        check(api.LGBM_BoosterFree(self._booster))

    def _score_many(self, batch: npt.NDArray[np.float64]) -> list[float]:
        rows = len(batch)
        probabilities = np.empty(rows, dtype=np.float64)
        check(
            library().LGBM_BoosterPredictForMat(
                self._booster,
                ctypes.c_void_p(batch.ctypes.data),
                DTYPE_FLOAT64,
                ctypes.c_int32(rows),
                ctypes.c_int32(self._features),
                1,
                PREDICT_NORMAL,
                0,
                -1,
                PARAMETERS,
                ctypes.byref(self._length),
                ctypes.c_void_p(probabilities.ctypes.data),
            )
        )
        scores: list[float] = probabilities.tolist()
        return scores
