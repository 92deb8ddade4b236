"""Curves and calibration from counts per score agree with scikit-learn and with manual calculation."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from training.metrics import curves
from training.metrics.curves import ScoreBins
from training.metrics.evaluate import EvaluationError, evaluate_bins

labelled_scores = st.lists(st.tuples(st.booleans(), st.integers(1, 99)), min_size=2, max_size=300).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def bins_of(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> ScoreBins:
    """One bin for each distinct probability."""
    labels, probabilities = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    values, inverse = np.unique(-probabilities, return_inverse=True)
    loss = -np.where(labels == 1, np.log(probabilities), np.log1p(-probabilities))
    return ScoreBins(
        clicks=np.bincount(inverse, weights=labels).astype(np.int64),
        others=np.bincount(inverse, weights=1 - labels).astype(np.int64),
        probability_sum=np.bincount(inverse, weights=probabilities).astype(np.float64),
        loss_sum=np.bincount(inverse, weights=loss).astype(np.float64),
        tied=np.ones(len(values), dtype=np.bool_),
    )


@given(labelled_scores)
@settings(deadline=None)
def test_metrics_agree_with_scikit_learn_whatever_the_ties(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.int64)
    probabilities = np.array([percent / 100 for _, percent in rows])
    evaluation = evaluate_bins(bins_of(labels, probabilities))
    assert evaluation.auc == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-9)
    assert evaluation.auc_error_bound == 0
    assert evaluation.log_loss == pytest.approx(log_loss(labels, probabilities), abs=1e-9)
    assert evaluation.average_precision == pytest.approx(average_precision_score(labels, probabilities), abs=1e-9)


@given(labelled_scores)
@settings(deadline=None)
def test_curves_are_bounded_and_rise_to_the_end(rows: list[tuple[bool, int]]) -> None:
    evaluation = evaluate_bins(bins_of([label for label, _ in rows], [percent / 100 for _, percent in rows]))
    assert evaluation.roc[0] == (0, 0)
    assert evaluation.roc[-1] == (1, 1)
    assert list(evaluation.roc) == sorted(evaluation.roc)
    recall = [point[0] for point in evaluation.precision_recall]
    assert recall == sorted(recall)
    assert recall[-1] == 1
    assert max(len(evaluation.roc), len(evaluation.precision_recall)) <= curves.CURVE_POINTS
    assert sum(part.rows for part in evaluation.reliability) == len(rows) == sum(evaluation.histogram.rows)


def test_a_long_curve_is_thinned_without_losing_its_area() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.random(20_000)
    labels = generator.random(20_000) < probabilities
    evaluation = evaluate_bins(bins_of(labels, probabilities))
    x, y = np.array(evaluation.roc).T
    assert len(evaluation.roc) <= curves.CURVE_POINTS
    area = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
    assert area == pytest.approx(evaluation.auc, abs=1e-3)


def test_the_error_bound_counts_only_pairs_within_a_mixed_bin() -> None:
    bins = ScoreBins(
        clicks=np.array([3, 1]),
        others=np.array([1, 3]),
        probability_sum=np.array([3.2, 0.8]),
        loss_sum=np.array([1.0, 1.0]),
        tied=np.array([False, True]),
    )
    auc, bound = curves.area_under_roc(bins)
    assert auc == pytest.approx((3 * 3 + 3 * 1 / 2 + 3 * 1 / 2) / 16)
    assert bound == pytest.approx(3 * 1 / 2 / 16)


def test_calibration_bins_hold_equally_many_rows_and_never_too_few() -> None:
    generator = np.random.default_rng(1)
    probabilities = generator.beta(1, 20, 4_000)
    parts = curves.reliability(bins_of(generator.random(4_000) < probabilities, probabilities))
    assert len(parts) == 4_000 // curves.CALIBRATION_BIN_ROWS
    assert all(abs(part.rows - curves.CALIBRATION_BIN_ROWS) <= 1 for part in parts)
    assert len(curves.reliability(bins_of([0, 1], [0.2, 0.3]))) == 1
    many = generator.random(50_000)
    assert len(curves.reliability(bins_of(generator.random(50_000) < many, many))) == curves.CALIBRATION_BINS


def test_the_calibration_error_of_shifted_probabilities_is_the_shift() -> None:
    generator = np.random.default_rng(2)
    truth = generator.uniform(0.2, 0.6, 40_000)
    error, noise = curves.calibration_error(curves.reliability(bins_of(generator.random(40_000) < truth, truth + 0.1)))
    assert error == pytest.approx(0.1, abs=0.005)
    assert noise < 0.01


def test_the_calibration_noise_is_what_perfect_models_show_on_average() -> None:
    generator = np.random.default_rng(3)
    pairs = []
    for _ in range(200):
        truth = generator.beta(1, 4, 2_000)
        pairs.append(curves.calibration_error(curves.reliability(bins_of(generator.random(2_000) < truth, truth))))
    errors, noises = np.array(pairs).T
    assert errors.mean() == pytest.approx(noises.mean(), rel=0.1)


def test_a_constant_model_has_no_skill_and_a_normalized_entropy_of_one() -> None:
    evaluation = evaluate_bins(ScoreBins.of_constant(clicks=25, others=75, probability=0.25))
    assert evaluation.auc == 0.5
    assert evaluation.normalized_entropy == pytest.approx(1)
    assert evaluation.calibration_error == pytest.approx(0)
    assert evaluation.clicks_in_top_tenth == pytest.approx(0.1)


def test_a_perfect_order_puts_all_clicks_on_top() -> None:
    evaluation = evaluate_bins(bins_of([1] * 10 + [0] * 90, np.linspace(0.99, 0.01, 100)))
    assert evaluation.auc == 1
    assert evaluation.clicks_in_top_tenth == pytest.approx(1)


@pytest.mark.parametrize(("clicks", "others", "label"), [(0, 5, 0), (5, 0, 1)])
def test_rows_of_one_class_are_refused_with_the_way_out(clicks: int, others: int, label: int) -> None:
    with pytest.raises(EvaluationError, match=rf"All 5 held-out rows have the label {label}.*lower `train_fraction`"):
        evaluate_bins(ScoreBins.of_constant(clicks=clicks, others=others, probability=0.5))


def test_the_figures_are_plain_json_values_without_the_curves() -> None:
    scalars = evaluate_bins(bins_of([0, 1, 1], [0.2, 0.3, 0.6])).scalars()
    assert all(isinstance(value, int | float) for value in scalars.values())
    assert {"auc", "log_loss", "calibration_error", "normalized_entropy", "base_rate", "rows"} <= scalars.keys()
