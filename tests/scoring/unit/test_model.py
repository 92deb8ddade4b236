"""A loaded model is checked before the first request."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from scoring.engines import EngineName
from scoring.engines.lightgbm import LightGbmEngine
from scoring.model.model import GoldenError, ServedModel
from scoring.responses import ModelName
from tests.support.bundles import MakeBundle


class Skewed(LightGbmEngine):
    """An engine whose results are slightly wrong for some batches."""

    def __init__(self, engine: LightGbmEngine, is_wrong: Callable[[int], bool]) -> None:
        self._engine = engine
        self._is_wrong = is_wrong

    def score_now(self, batch: npt.NDArray[np.float64]) -> list[float]:
        """The probabilities, too high by a millionth for some batch sizes."""
        added = 1e-6 if self._is_wrong(len(batch)) else 0.0
        return [found + added for found in self._engine.score_now(batch)]


@pytest.fixture(scope="module")
def model(bundle_of: MakeBundle) -> ServedModel:
    """A small model."""
    return ServedModel.load(
        bundle_of(1), name=ModelName(name="ctr", version="1"), engine=EngineName.LIGHTGBM, max_records=100
    )


@pytest.mark.parametrize("is_wrong", [lambda rows: rows == 1, lambda rows: rows > 1], ids=["single", "many"])
def test_a_model_that_is_off_for_single_records_or_for_many_at_once_may_not_serve(
    model: ServedModel, is_wrong: Callable[[int], bool]
) -> None:
    clicks = model.click_model
    assert isinstance(clicks.engine, LightGbmEngine)
    off = replace(model, clicks=replace(clicks, engine=Skewed(clicks.engine, is_wrong)))
    with pytest.raises(GoldenError, match="training computed"):
        asyncio.run(off.check_golden())
