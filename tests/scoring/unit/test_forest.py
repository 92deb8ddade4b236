"""The kernel's evaluation of trees is bit-identical to LightGBM's; trees it can't evaluate are left to LightGBM."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest

from scoring.engines.booster import Booster
from scoring.engines.forest import open_forest
from scoring.engines.lightgbm import LightGbmEngine
from tests.support.kernels import built_kernel

FEATURES = 5
EXTREMES = (0.0, -0.0, 1e-35, -1e-35, 1.1e-35, -1.1e-35, 1e308, -1e308, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("trees", [1, 7, 8, 9, 40])
@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["nothing missing", "some missing"])
def test_the_kernel_gives_what_lightgbm_gives(tmp_path: Path, trees: int, missing: float) -> None:
    model = _fit(tmp_path, missing=missing, num_boost_round=trees, sigmoid=0.7)
    assert _walked(model)
    inputs = _inputs(missing=0.2, seed=1)
    inputs[: len(EXTREMES), 0] = EXTREMES
    booster = Booster(model, FEATURES)
    expected = LightGbmEngine(model, booster, None).score_now(inputs)
    engine = LightGbmEngine(model, booster, built_kernel())
    assert engine.score_now(inputs) == expected
    assert [engine.score_now(row[np.newaxis])[0] for row in inputs] == expected
    assert len(set(expected)) > 10


def test_a_number_on_the_threshold_goes_the_same_way(tmp_path: Path) -> None:
    model = _fit(tmp_path, missing=0.0, num_boost_round=5)
    line = next(line for line in model.read_text().splitlines() if line.startswith("threshold="))
    thresholds = [float(text) for text in line.removeprefix("threshold=").split()]
    near = [np.nextafter(number, side) for number in thresholds for side in (number, -np.inf, np.inf)]
    inputs = np.tile(np.array(near)[:, np.newaxis], FEATURES)
    booster = Booster(model, FEATURES)
    expected = LightGbmEngine(model, booster, None).score_now(inputs)
    assert LightGbmEngine(model, booster, built_kernel()).score_now(inputs) == expected


def test_trees_of_a_single_leaf_are_walked(tmp_path: Path) -> None:
    model = _fit(tmp_path, missing=0.0, num_boost_round=3, min_data_in_leaf=100_000)
    booster = Booster(model, FEATURES)
    inputs = _inputs(missing=0.2, seed=1)
    expected = LightGbmEngine(model, booster, None).score_now(inputs)
    assert LightGbmEngine(model, booster, built_kernel()).score_now(inputs) == expected


@pytest.mark.parametrize(
    "kind",
    [
        {"categorical_feature": [0], "min_data_per_group": 1, "cat_smooth": 0.0},
        {"zero_as_missing": True},
        {"linear_tree": True},
        {"objective": "regression"},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    ],
    ids=lambda kind: next(iter(kind)),
)
def test_trees_of_another_kind_are_left_to_lightgbm(tmp_path: Path, kind: dict[str, Any]) -> None:
    model = _fit(tmp_path, missing=0.0, num_boost_round=3, **kind)
    assert not _walked(model)
    booster = Booster(model, FEATURES)
    inputs = np.abs(_inputs(missing=0.0, seed=1))
    expected = LightGbmEngine(model, booster, None).score_now(inputs)
    assert LightGbmEngine(model, booster, built_kernel()).score_now(inputs) == expected


def _walked(model: Path) -> bool:
    return open_forest(model, FEATURES, built_kernel()) is not None


def _fit(folder: Path, *, missing: float, **parameters: Any) -> Path:
    inputs = _inputs(missing=missing, seed=0)
    inputs[:, 0] = np.abs(np.round(2 * inputs[:, 0]))
    labels = (np.nansum(inputs, axis=1) + np.isnan(inputs).sum(axis=1) + 3 * (inputs[:, 0] % 2) > 2).astype(int)
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **parameters}
    rounds = settings.pop("num_boost_round")
    categories = settings.pop("categorical_feature", "auto")
    booster = lightgbm.train(settings, lightgbm.Dataset(inputs, labels, categorical_feature=categories), rounds)
    model = folder / "model.txt"
    booster.save_model(model)
    return model


def _inputs(*, missing: float, seed: int) -> npt.NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    inputs: npt.NDArray[np.float64] = generator.normal(size=(500, FEATURES))
    inputs[generator.random(inputs.shape) < missing] = np.nan
    inputs[generator.random(inputs.shape) < 0.1] = 0.0
    return inputs
