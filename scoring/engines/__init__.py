"""The engines that compute probabilities, behind one Protocol: the rest of the service does not know which one runs."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Protocol, assert_never

import numpy as np
import numpy.typing as npt

from scoring.engines.booster import Booster
from scoring.engines.lightgbm import LightGbmEngine


class EngineName(StrEnum):
    """The engines that a stack may choose."""

    LIGHTGBM = "lightgbm"
    SPARK_SERVING = "spark-serving"


class Engine(Protocol):
    """Computes click probabilities from encoded records."""

    @property
    def ready(self) -> bool:
        """Whether it can score now."""
        ...

    async def start(self) -> None:
        """Get ready to score; raises `EngineError` when it cannot."""
        ...

    @property
    def score_now(self) -> Callable[[npt.NDArray[np.float64]], list[float]] | None:
        """`score` without a wait, or None when the engine's answers take a while."""
        ...

    async def score(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f] in the order of `Schema.encoded_features`.

        The rows are C-contiguous and NaN stands for a missing number. Raises `EngineError` when no answer can be had.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds. It is not used afterwards."""
        ...


def open_engine(name: EngineName, model: Path, booster: Booster) -> Engine:
    """The engine `name` for the LightGBM model file `model`, which `booster` holds; raises `EngineError`."""
    match name:
        case EngineName.LIGHTGBM:
            return LightGbmEngine(model, booster)
        case EngineName.SPARK_SERVING:
            from scoring.engines.spark_serving import SparkServingEngine  # noqa: PLC0415 - only those who use it pay for it

            return SparkServingEngine(model, booster)
        case _:
            assert_never(name)
