"""The mean of several models as one model predicts the mean of their raw scores."""

import re
from itertools import pairwise

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest

from training.engines.fitting import native_parameters
from training.model.fitted import seeds_of_refits
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


def test_its_explanations_are_the_mean_of_theirs(models: list[lightgbm.Booster], text: str) -> None:
    theirs = np.mean([np.asarray(model.predict(inputs(), pred_contrib=True)) for model in models], axis=0)
    mean = lightgbm.Booster(model_str=text)
    np.testing.assert_allclose(mean.predict(inputs(), pred_contrib=True), theirs, atol=1e-9)


def test_it_counts_the_splits_and_gains_of_all_of_them(models: list[lightgbm.Booster], text: str) -> None:
    mean = lightgbm.Booster(model_str=text)
    splits = np.sum([model.feature_importance("split") for model in models], axis=0)
    written = text.partition("feature_importances:\n")[2].partition("\n\n")[0]
    assert {name: int(count) for name, count in (line.split("=") for line in written.splitlines())} == {
        f"Column_{index}": count for index, count in enumerate(splits.tolist()) if count
    }
    gains = np.sum([model.feature_importance("gain") for model in models], axis=0)
    np.testing.assert_allclose(mean.feature_importance("gain"), gains)


def test_its_text_keeps_the_parameters_and_says_how_long_each_tree_is(
    models: list[lightgbm.Booster], text: str
) -> None:
    def parameters(of: str) -> str:
        return of.partition("\nparameters:\n")[2].partition("end of parameters")[0]

    assert parameters(text) == parameters(models[0].model_to_string())
    sizes = next(line for line in text.splitlines() if line.startswith("tree_sizes="))
    starts = [text.index(f"Tree={index}\n") for index in range(3 * TREES)] + [text.index("end of trees")]
    assert sizes == "tree_sizes=" + " ".join(map(str, np.diff(starts)))


def test_one_model_is_left_as_it_is(models: list[lightgbm.Booster]) -> None:
    alone = models[0].model_to_string()
    assert mean_of([alone]) == alone


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
