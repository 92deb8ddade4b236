"""A loaded model is checked before the first request."""

import asyncio
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from scoring.engines import EngineName
from scoring.engines.lightgbm import LightGbmEngine
from scoring.model.model import GoldenError, ServedModel
from scoring.responses import ModelName
from tests.support.bundles import MakeBundle


@pytest.mark.parametrize("is_wrong", [lambda rows: rows == 1, lambda rows: rows > 1], ids=["single", "many"])
def test_a_model_that_is_off_for_single_records_or_for_many_at_once_may_not_serve(
    bundle_of: MakeBundle, monkeypatch: pytest.MonkeyPatch, is_wrong: Callable[[int], bool]
) -> None:
    name = ModelName(name="ctr", version="1")
    model = ServedModel.load(bundle_of(1), name=name, engine=EngineName.LIGHTGBM, max_records=100)
    right = LightGbmEngine.score_now

    def score_now(engine: LightGbmEngine, batch: npt.NDArray[np.float64]) -> list[float]:
        return [found + 1e-6 * is_wrong(len(batch)) for found in right(engine, batch)]

    monkeypatch.setattr(LightGbmEngine, "score_now", score_now)
    with pytest.raises(GoldenError, match="training computed"):
        asyncio.run(model.check_golden())
