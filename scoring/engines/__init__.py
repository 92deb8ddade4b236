"""The engines that compute probabilities.

Each has the methods of `LightGbmEngine`. One that has to wait has no `score_now`, and is not `ready` while it starts.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from scoring.engines.lightgbm import Booster, LightGbmEngine

if TYPE_CHECKING:
    from scoring.engines.spark_serving import SparkServingEngine

Engine: TypeAlias = "LightGbmEngine | SparkServingEngine"


class EngineName(StrEnum):
    """The engines that a stack can choose."""

    LIGHTGBM = "lightgbm"
    SPARK_SERVING = "spark-serving"


def open_engine(name: EngineName, model: Path, booster: Booster) -> Engine:
    """The engine `name` for the LightGBM model file `model`, which `booster` has loaded; raises `EngineError`."""
    if name is EngineName.LIGHTGBM:
        return LightGbmEngine(model, booster)
    from scoring.engines.spark_serving import SparkServingEngine  # noqa: PLC0415 - only those who use it pay for it

    return SparkServingEngine(model, booster)
