"""Loads LightGBM's C library directly, because the Python package would load pandas and scikit-learn in each worker."""

import ctypes
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from scoring.errors import EngineError

DTYPE_FLOAT64 = 1
"""A constant of LightGBM's `c_api.h`."""


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
