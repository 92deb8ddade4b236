"""The kernel's evaluation of trees is bit-identical to LightGBM's; trees it can't evaluate are left to LightGBM."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest

from scoring.engines import forest
from scoring.engines.forest import open_forest
from scoring.engines.lightgbm import Booster, LightGbmEngine
from tests.support.kernels import built_kernel

FEATURES = 5
EXTREMES = (0.0, -0.0, 1e-35, -1e-35, 1.1e-35, -1.1e-35, 1e308, -1e308, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("trees", [1, 7, 8, 9, 40])
@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["nothing missing", "some missing"])
def test_the_kernel_gives_what_lightgbm_gives(tmp_path: Path, trees: int, missing: float) -> None:
    model = _fit(tmp_path, missing=missing, num_boost_round=trees, sigmoid=0.7)
    assert _computed(model)
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
    _scores_alike(model, inputs)


@pytest.mark.parametrize("together", [64, 16, 7])
def test_trees_of_many_leaves_are_computed_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    model = _fit(tmp_path, missing=0.3, num_boost_round=3, num_leaves=130, min_data_in_leaf=1)
    grown = [int(line.split("=")[1]) for line in model.read_text().splitlines() if line.startswith("num_leaves=")]
    assert max(grown) > 64
    monkeypatch.setattr(forest, "TOGETHER", together)
    assert _computed(model)
    _scores_alike(model, _inputs(missing=0.2, seed=1))


def test_trees_of_more_leaves_are_left_to_lightgbm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _fit(tmp_path, missing=0.0, num_boost_round=2, num_leaves=20)
    monkeypatch.setattr(forest, "MOST_LEAVES", 19)
    assert not _computed(model)


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5, 15, 16, 17, 21, 33])
def test_any_number_of_rows_is_scored(tmp_path: Path, rows: int) -> None:
    model = _fit(tmp_path, missing=0.3, num_boost_round=9)
    booster, inputs = Booster(model, FEATURES), _inputs(missing=0.2, seed=1)[:rows]
    found = LightGbmEngine(model, booster, built_kernel()).score_now(inputs)
    assert found == [LightGbmEngine(model, booster, None).score_now(row[np.newaxis])[0] for row in inputs]


def test_trees_of_a_single_leaf_are_computed(tmp_path: Path) -> None:
    model = _fit(tmp_path, missing=0.0, num_boost_round=3, min_data_in_leaf=100_000)
    _scores_alike(model, _inputs(missing=0.2, seed=1))


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
    assert not _computed(model)
    _scores_alike(model, np.abs(_inputs(missing=0.0, seed=1)))


def _scores_alike(model: Path, inputs: npt.NDArray[np.float64]) -> None:
    """The kernel and LightGBM give the same, to the last bit."""
    booster = Booster(model, FEATURES)
    expected = LightGbmEngine(model, booster, None).score_now(inputs)
    assert LightGbmEngine(model, booster, built_kernel()).score_now(inputs) == expected


def _computed(model: Path) -> bool:
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
