"""The metrics of held-out rows are scikit-learn's, whatever the order of the rows; calibration against simulations."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from training.evaluation import metrics
from training.evaluation.metrics import EvaluationError, evaluate, reliability


def calibrated(
    a: float, b: float, *, rows: int, seed: int = 0
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Probabilities from a beta distribution, and clicks drawn from them."""
    generator = np.random.default_rng(seed)
    probability = generator.beta(a, b, rows)
    return generator.random(rows) < probability, probability


@pytest.mark.parametrize("digits", [1, 2, 15])
def test_the_metrics_agree_with_scikit_learn_whatever_the_ties(digits: int) -> None:
    clicked, probability = calibrated(1, 4, rows=20_000)
    probability = np.round(probability, digits).clip(0.01, 0.99)
    found = evaluate(clicked, probability)
    assert found.auc == pytest.approx(roc_auc_score(clicked, probability), abs=1e-9)
    assert found.average_precision == pytest.approx(average_precision_score(clicked, probability), abs=1e-9)
    assert found.log_loss == pytest.approx(log_loss(clicked, probability), abs=1e-9)
    assert found.mean_probability == pytest.approx(probability.mean(), abs=1e-9)
    assert (found.rows, found.clicks, found.base_rate) == (20_000, clicked.sum(), clicked.mean())


def test_the_order_of_the_rows_does_not_matter() -> None:
    clicked, probability = calibrated(1, 4, rows=5_000)
    order = np.random.default_rng(1).permutation(5_000)
    assert evaluate(clicked[order], probability[order]) == evaluate(clicked, probability)


def test_a_long_curve_is_thinned_without_losing_its_area_or_its_ends() -> None:
    found = evaluate(*calibrated(1, 1, rows=20_000))
    x, y = np.array(found.roc).T
    assert len(found.roc) <= metrics.CURVE_POINTS
    assert np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) == pytest.approx(found.auc, abs=1e-3)
    assert (found.roc[0], found.roc[-1]) == ((0, 0), (1, 1))


def test_rows_are_grouped_evenly_for_calibration_and_never_too_finely() -> None:
    parts = reliability(*calibrated(1, 20, rows=4_000))
    assert len(parts) == 4_000 // metrics.CALIBRATION_BIN_ROWS
    assert all(abs(part.rows - metrics.CALIBRATION_BIN_ROWS) <= 1 for part in parts)
    assert len(reliability(*calibrated(1, 20, rows=50))) == 1
    assert len(reliability(*calibrated(1, 20, rows=50_000))) == metrics.CALIBRATION_BINS


def test_the_calibration_error_of_shifted_probabilities_is_the_shift() -> None:
    generator = np.random.default_rng(2)
    truth = generator.uniform(0.2, 0.6, 40_000)
    found = evaluate(generator.random(40_000) < truth, truth + 0.1)
    assert found.calibration_error == pytest.approx(0.1, abs=0.005)
    assert found.calibration_noise < 0.01


def test_the_calibration_noise_is_what_perfect_models_show_on_average() -> None:
    found = [metrics.calibration_error(reliability(*calibrated(1, 4, rows=2_000, seed=seed))) for seed in range(200)]
    errors, noises = np.array(found).T
    assert errors.mean() == pytest.approx(noises.mean(), rel=0.1)


def test_a_constant_model_has_no_skill_and_a_normalized_entropy_of_one() -> None:
    found = evaluate(np.arange(100) < 25, np.full(100, 0.25))
    assert found.auc == 0.5
    assert found.normalized_entropy == pytest.approx(1)
    assert found.calibration_error == pytest.approx(0)
    assert found.clicks_in_top_tenth == pytest.approx(0.1)


def test_certain_probabilities_keep_the_log_loss_finite() -> None:
    found = evaluate(np.array([True, False, False, True]), np.array([1.0, 0.0, 1.0, 0.0]))
    assert found.auc == 0.5
    assert found.log_loss == pytest.approx(-np.log(1e-15) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("clicked", "probability", "problem"),
    [
        ([], [], "no held-out rows"),
        ([False] * 5, [0.5] * 5, "All 5 held-out rows have the label 0.*lower `train_fraction`"),
        ([True] * 5, [0.5] * 5, "All 5 held-out rows have the label 1.*lower `train_fraction`"),
        *(
            ([True, False, True], [0.5, 0.4, wrong], "1 of 3 held-out rows have no probability between 0 and 1")
            for wrong in (float("nan"), -0.1, 1.1, float("inf"))
        ),
    ],
)
def test_rows_that_cannot_be_measured_are_refused(clicked: list[bool], probability: list[float], problem: str) -> None:
    with pytest.raises(EvaluationError, match=problem):
        evaluate(np.array(clicked, dtype=np.bool_), np.array(probability))
