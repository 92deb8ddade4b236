"""The engines that compute probabilities, behind one Protocol, so that the rest of the service works with either."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scoring.engines.lightgbm import Booster, LightGbmEngine


class EngineName(StrEnum):
    """The engines that a stack can choose."""

    LIGHTGBM = "lightgbm"
    SPARK_SERVING = "spark-serving"


class Engine(Protocol):
    """Computes click probabilities from encoded records."""

    @property
    def ready(self) -> bool:
        """Whether it can score now."""
        ...

    async def start(self) -> None:
        """Get ready to score; raises `EngineError` if that fails."""
        ...

    @property
    def score_now(self) -> Callable[[npt.NDArray[np.float64]], list[float]] | None:
        """A synchronous `score`, for engines that don't have to wait; else None."""
        ...

    async def score(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The click probability of each row of `batch`, float64[n, f] in the order of `Schema.encoded_features`.

        The rows are C-contiguous, and NaN stands for a missing number. Raises `EngineError` if scoring fails.
        """
        ...

    def close(self) -> None:
        """Free the engine's resources; it can't be used afterwards."""
        ...


def open_engine(name: EngineName, model: Path, booster: Booster) -> Engine:
    """The engine `name` for the LightGBM model file `model`, which `booster` has loaded; raises `EngineError`."""
    if name is EngineName.LIGHTGBM:
        return LightGbmEngine(model, booster)
    from scoring.engines.spark_serving import SparkServingEngine  # noqa: PLC0415 - only those who use it pay for it

    return SparkServingEngine(model, booster)
