"""Loads LightGBM's C library and a model, and scores in the worker's own process: engine `lightgbm`.

The library is loaded directly, because the Python package would load pandas and scikit-learn in each worker. Each call
uses one thread: a service has as many workers as cores, and a second thread would make single rows slower. The C kernel
evaluates the trees if it was built and supports them, else LightGBM does, with the same results.
"""

import ctypes
import sys
from enum import IntEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import PersonalizationError
from scoring.engines.forest import open_forest
from scoring.native import KERNEL, Kernel

DTYPE_FLOAT64 = 1
"""A constant of LightGBM's `c_api.h`."""

PARAMETERS = b"num_threads=1"


class EngineError(PersonalizationError):
    """The engine cannot be started, or cannot compute a probability."""


@cache
def library() -> ctypes.CDLL:
    """The C library of the installed package `lightgbm`; raises `EngineError` if it can't be loaded."""
    spec = find_spec("lightgbm")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("The package lightgbm is not installed. Install the extra `scoring`.")
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    path = folder / ("lib_lightgbm.dylib" if sys.platform == "darwin" else "lib_lightgbm.so")
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise EngineError(
            f"LightGBM's library cannot be loaded: {error}. What it usually lacks is OpenMP: "
            "`apt-get install libgomp1` on Debian and Ubuntu, `brew install libomp` on macOS."
        ) from error
    loaded.LGBM_GetLastError.restype = ctypes.c_char_p
    return loaded


def check(code: int) -> None:
    """Raise `EngineError` with LightGBM's message if `code`, returned by its C API, is a failure."""
    if code != 0:
        reason = library().LGBM_GetLastError().decode(errors="replace")
        raise EngineError(f"LightGBM failed: {reason}. Train the model again, or serve another version.")


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


class LightGbmEngine:
    """A model ready to score."""

    def __init__(self, model: Path, booster: Booster, kernel: Kernel | None = KERNEL) -> None:
        """Prepare the model file `model`, which `booster` has loaded."""
        self._booster = booster
        self._kernel = kernel
        self._forest = None if kernel is None else open_forest(model, booster.features, kernel)

    ready = True

    async def start(self) -> None:
        """Do nothing: the engine is ready once it is created."""

    async def score(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f] in the order of `Schema.encoded_features`.

        The rows are C-contiguous, and NaN stands for a missing number.
        """
        return self.score_now(batch)

    def score_now(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The same, synchronously."""
        if self._kernel is not None and self._forest is not None:
            return self._kernel.predict(self._forest, batch)
        scores: list[float] = self._booster.predict(batch, Prediction.PROBABILITY).tolist()
        return scores

    def close(self) -> None:
        """Do nothing: the booster stays open."""
