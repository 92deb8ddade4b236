"""LightGBM's model text: means of models, scaled leaves, the names of inputs."""

import re
from itertools import pairwise

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest

from features.schema import Schema
from training.local.fitting import native_parameters
from training.model.calibrate import PlattScaling, fit_scaling, scaled
from training.model.fitted import seeds_of_refits, slot_names
from training.model.trees import mean_of
from training.parameters import TrainingParameters

TREES = 7


def inputs() -> npt.NDArray[np.float64]:
    drawn = np.random.default_rng(2).normal(size=(2_000, 6))
    drawn[::7, 1] = np.nan
    return drawn


@pytest.fixture(scope="module")
def models() -> list[lightgbm.Booster]:
    rows = inputs()
    label = np.random.default_rng(1).random(len(rows)) < 1 / (1 + np.exp(1 - rows[:, 0] - np.nan_to_num(rows[:, 1])))
    parameters = {"objective": "binary", "num_leaves": 8, "feature_fraction": 0.4, "verbosity": -1}
    data = lightgbm.Dataset(rows, label, params=parameters, free_raw_data=False)
    return [lightgbm.train({**parameters, "seed": seed}, data, TREES) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def text(models: list[lightgbm.Booster]) -> str:
    return mean_of([model.model_to_string() for model in models])


def test_its_raw_score_is_the_mean_of_theirs(models: list[lightgbm.Booster], text: str) -> None:
    theirs = [np.asarray(model.predict(inputs(), raw_score=True)) for model in models]
    assert not any(np.allclose(one, other) for one, other in pairwise(theirs))
    mean = lightgbm.Booster(model_str=text)
    assert mean.num_trees() == 3 * TREES
    np.testing.assert_allclose(mean.predict(inputs(), raw_score=True), np.mean(theirs, axis=0), atol=1e-12)
    np.testing.assert_allclose(mean.predict(inputs()), 1 / (1 + np.exp(-np.mean(theirs, axis=0))), atol=1e-12)


def test_it_counts_the_splits_and_gains_of_all_of_them(models: list[lightgbm.Booster], text: str) -> None:
    mean = lightgbm.Booster(model_str=text)
    splits = np.sum([model.feature_importance("split") for model in models], axis=0)
    written = text.partition("feature_importances:\n")[2].partition("\n\n")[0]
    assert {name: int(count) for name, count in (line.split("=") for line in written.splitlines())} == {
        f"Column_{index}": count for index, count in enumerate(splits.tolist()) if count
    }
    gains = np.sum([model.feature_importance("gain") for model in models], axis=0)
    np.testing.assert_allclose(mean.feature_importance("gain"), gains)


@pytest.mark.parametrize(
    ("rows", "changes", "seeds"),
    [
        (50_000, {}, (42, 43, 44)),
        (50_001, {}, (42,)),
        (200_000, {}, (42,)),
        (200_001, {}, ()),
        (50_000, {"averaged_models": 1}, (42,)),
        (50_000, {"seed": 7, "averaged_models": 2}, (7, 8)),
        (50_000, {"feature_fraction": 1.0}, (42,)),
        (50_000, {"feature_fraction": 1.0, "feature_fraction_by_node": 0.5}, (42, 43, 44)),
    ],
)
def test_few_rows_are_fitted_several_times_where_the_models_would_differ(
    rows: int, changes: dict[str, float], seeds: tuple[int, ...]
) -> None:
    assert seeds_of_refits(TrainingParameters().model_copy(update=changes), rows=rows) == seeds


SPLIT_FEATURES = re.compile(r"^split_feature=(.*)$", re.MULTILINE)


@pytest.mark.parametrize(
    ("features", "fraction", "used"), [(2, 0.4, 2), (3, 0.4, 3), (5, 0.2, 3), (7, 0.4, 3), (10, 0.4, 4)]
)
def test_a_tree_uses_three_features_at_least(features: int, fraction: float, used: int) -> None:
    inputs = np.random.default_rng(1).normal(size=(2_000, features))
    parameters = TrainingParameters(feature_fraction=fraction, averaged_models=2).of_features(features)
    booster = lightgbm.train(native_parameters(parameters), lightgbm.Dataset(inputs, inputs.sum(axis=1) > 0), 10)
    split_by = [set(re.findall(r"\d+", line)) for line in SPLIT_FEATURES.findall(booster.model_to_string())]
    assert {len(features_of_tree) for features_of_tree in split_by} == {used}
    drawn = used < features
    assert len(seeds_of_refits(parameters, rows=2_000)) == (2 if drawn else 1)


SCALED_ROWS = 20_000


def drawn(logit: npt.NDArray[np.float64], seed: int = 1) -> npt.NDArray[np.int32]:
    return (np.random.default_rng(seed).random(len(logit)) < probability(logit)).astype(np.int32)


def probability(logit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1 / (1 + np.exp(-logit))


def logits(rows: int = SCALED_ROWS) -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).normal(-1.2, 0.8, rows)


def test_a_model_that_is_too_timid_is_corrected() -> None:
    found = fit_scaling(drawn(1.3 * logits() + 0.4), probability(logits()))
    assert found is not None
    assert found.slope == pytest.approx(1.3, abs=0.1)
    assert found.intercept == pytest.approx(0.4, abs=0.1)


def test_a_model_that_is_right_is_left_alone() -> None:
    assert all(fit_scaling(drawn(logits(), seed), probability(logits())) is None for seed in range(20))


def test_a_few_rows_are_no_proof() -> None:
    assert fit_scaling(drawn(1.3 * logits(200) + 0.1), probability(logits(200))) is None


def test_rows_of_one_class_are_no_proof() -> None:
    assert fit_scaling(np.zeros(100, dtype=np.int32), probability(logits(100))) is None


def test_a_model_that_is_upside_down_is_not_turned() -> None:
    assert fit_scaling(drawn(-logits()), probability(logits())) is None


def test_the_order_of_the_rows_does_not_matter() -> None:
    clicked, given = drawn(1.3 * logits()), probability(logits())
    order = np.random.default_rng(3).permutation(SCALED_ROWS)
    assert fit_scaling(clicked, given) == fit_scaling(clicked[order], given[order])


def test_the_scaled_model_gives_the_scaled_logits_and_explanations() -> None:
    inputs = np.random.default_rng(2).normal(size=(2_000, 5))
    inputs[::7, 1] = np.nan
    data = lightgbm.Dataset(inputs, drawn(2 * inputs[:, 0] + np.nan_to_num(inputs[:, 1])))
    booster = lightgbm.train({"objective": "binary", "num_leaves": 8, "verbosity": -1}, data, num_boost_round=12)
    text = scaled(booster.model_to_string(), PlattScaling(slope=1.25, intercept=-0.3))
    again = lightgbm.Booster(model_str=text)
    assert again.num_trees() == 12
    raw = np.asarray(booster.predict(inputs, raw_score=True))
    np.testing.assert_allclose(again.predict(inputs, raw_score=True), 1.25 * raw - 0.3, atol=1e-12)
    np.testing.assert_allclose(again.predict(inputs), probability(1.25 * raw - 0.3), atol=1e-12)
    np.testing.assert_allclose(np.sum(again.predict(inputs, pred_contrib=True), axis=1), 1.25 * raw - 0.3, atol=1e-9)
    sizes = next(line for line in text.splitlines() if line.startswith("tree_sizes="))
    starts = [text.index(f"Tree={index}\n") for index in range(12)] + [text.index("end of trees")]
    assert sizes == "tree_sizes=" + " ".join(map(str, np.diff(starts)))


def test_names_that_lightgbm_refuses_stay_unique_among_those_that_it_takes() -> None:
    """`a?` becomes `a_`, which `a!` already has, and with its place `a__2`, which is a column of its own."""
    names = slot_names(Schema(numeric=("a__2", "a!", "a?", "a__3", "b c"), categorical=()))
    assert names == ["a__2", "a_", "a__3", "a__3_3", "b_c"]
    assert slot_names(Schema(numeric=("a!", "a?"), categorical=())) == ["a_", "a__1"]
