"""Engine `lightgbm`: scores in the worker's own process.

The C kernel evaluates the trees if it was built and supports them. Otherwise LightGBM does, with a prepared call for
single rows. Both give the same results.
"""

import ctypes
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scoring.engines.booster import PARAMETERS, Booster, Prediction
from scoring.engines.forest import open_forest
from scoring.engines.library import DTYPE_FLOAT64, check, library
from scoring.native import KERNEL, Kernel


class LightGbmEngine:
    """A model ready to score. Not thread-safe, because calls for single rows share their buffers."""

    def __init__(self, model: Path, booster: Booster, kernel: Kernel | None = KERNEL) -> None:
        """Prepare the model file `model`, which `booster` has loaded; raises `EngineError` if LightGBM fails."""
        api = library()
        self._booster = booster
        self._kernel = kernel
        self._forest = None if kernel is None else open_forest(model, booster.features, kernel)
        self._single = ctypes.c_void_p()
        check(
            api.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster.handle,
                int(Prediction.PROBABILITY),
                0,
                -1,
                DTYPE_FLOAT64,
                booster.features,
                PARAMETERS,
                ctypes.byref(self._single),
            )
        )
        self._length = ctypes.c_int64()
        self._probability = ctypes.c_double()
        self._predict_row = api.LGBM_BoosterPredictForMatSingleRowFast
        self._predict_row.argtypes = [ctypes.c_void_p] * 4
        self._as_row = (ctypes.c_double * booster.features).from_buffer  # twice as fast as `batch.ctypes`
        self._row_results = (ctypes.addressof(self._length), ctypes.addressof(self._probability))

    ready = True

    async def start(self) -> None:
        """Do nothing: the engine is ready once it is created."""

    async def score(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f]; see `Engine.score`."""
        return self.score_now(batch)

    def score_now(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The same, synchronously."""
        if self._kernel is not None and self._forest is not None:
            return self._kernel.predict(self._forest, batch)
        if len(batch) == 1:
            code = self._predict_row(self._single, self._as_row(batch), *self._row_results)  # type: ignore[arg-type] # NumPy 1 does not say so
            if code != 0:
                check(code)
            return [self._probability.value]
        scores: list[float] = self._booster.predict(batch, Prediction.PROBABILITY).tolist()
        return scores

    def close(self) -> None:
        """Free the prepared call; the booster stays open."""
        check(library().LGBM_FastConfigFree(self._single))
