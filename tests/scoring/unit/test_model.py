"""A loaded model: checks before the first request, and its use of CPU time."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from scoring.engines import EngineName
from scoring.engines.lightgbm import LightGbmEngine
from scoring.errors import GoldenError
from scoring.model.model import ServedModel
from scoring.responses import ModelName
from tests.support.bundles import MakeBundle

PREDICT = """
import json, os, sys
from pathlib import Path
import numpy as np
from scoring.engines.lightgbm import Booster
from scoring.engines.lightgbm import LightGbmEngine

def spent():
    tasks = {int(task.name): task for task in Path("/proc/self/task").iterdir()}
    own = tasks.pop(os.getpid())
    return [int((task / "schedstat").read_text().split()[0]) for task in (own, *tasks.values())]

model = Path(sys.argv[1])
engine = LightGbmEngine(model, booster := Booster(model, int(sys.argv[2])), None)
rows = np.zeros((100_000, booster.features))
before = spent()
engine.score_now(rows)
print(json.dumps([after - before for after, before in zip(spent(), before, strict=True)]))
"""
"""Prints the CPU time of a prediction in nanoseconds: of its own thread, and of each thread that LightGBM started when
the model was loaded."""


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


def test_a_prediction_is_the_work_of_one_thread(model: ServedModel) -> None:
    """There is one worker per core: more threads would only compete with each other."""
    path = model.bundle.path / "model.txt"
    features = len(model.bundle.schema.encoded_features)
    threads = {"OMP_NUM_THREADS": "4", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", PREDICT, str(path), str(features)],
        env=os.environ | threads,
        check=True,
        capture_output=True,
        text=True,
    )
    own, *others = json.loads(found.stdout)
    assert others, "LightGBM has threads to spread the work over"
    assert sum(others) < own / 10
