import lightgbm
import numpy as np
import numpy.typing as npt
import pytest

from training.model.calibrate import PlattScaling, fit_scaling, scaled

ROWS = 20_000


def drawn(logit: npt.NDArray[np.float64], seed: int = 1) -> npt.NDArray[np.int32]:
    return (np.random.default_rng(seed).random(len(logit)) < probability(logit)).astype(np.int32)


def probability(logit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1 / (1 + np.exp(-logit))


def logits(rows: int = ROWS) -> npt.NDArray[np.float64]:
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
    order = np.random.default_rng(3).permutation(ROWS)
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
