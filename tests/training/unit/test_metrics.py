"""Metrics from counts by score agree with scikit-learn and with manual calculation, in one piece or in many."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from features.hashing import EACH
from training.evaluation import metrics
from training.evaluation.metrics import (
    FIXED_POINT,
    NO_PROBABILITY,
    SLICES,
    Evaluation,
    EvaluationError,
    InSlices,
    ScoreBins,
    ScoreCounts,
    evaluate,
    evaluate_bins,
)

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
    assert max(len(evaluation.roc), len(evaluation.precision_recall)) <= metrics.CURVE_POINTS
    assert sum(part.rows for part in evaluation.reliability) == len(rows) == sum(evaluation.histogram.rows)


def test_a_long_curve_is_thinned_without_losing_its_area() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.random(20_000)
    labels = generator.random(20_000) < probabilities
    evaluation = evaluate_bins(bins_of(labels, probabilities))
    x, y = np.array(evaluation.roc).T
    assert len(evaluation.roc) <= metrics.CURVE_POINTS
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
    auc, bound = metrics.area_under_roc(bins)
    assert auc == pytest.approx((3 * 3 + 3 * 1 / 2 + 3 * 1 / 2) / 16)
    assert bound == pytest.approx(3 * 1 / 2 / 16)


def test_calibration_bins_hold_equally_many_rows_and_never_too_few() -> None:
    generator = np.random.default_rng(1)
    probabilities = generator.beta(1, 20, 4_000)
    parts = metrics.reliability(bins_of(generator.random(4_000) < probabilities, probabilities))
    assert len(parts) == 4_000 // metrics.CALIBRATION_BIN_ROWS
    assert all(abs(part.rows - metrics.CALIBRATION_BIN_ROWS) <= 1 for part in parts)
    assert len(metrics.reliability(bins_of([0, 1], [0.2, 0.3]))) == 1
    many = generator.random(50_000)
    assert len(metrics.reliability(bins_of(generator.random(50_000) < many, many))) == metrics.CALIBRATION_BINS


def test_the_calibration_error_of_shifted_probabilities_is_the_shift() -> None:
    generator = np.random.default_rng(2)
    truth = generator.uniform(0.2, 0.6, 40_000)
    error, noise = metrics.calibration_error(
        metrics.reliability(bins_of(generator.random(40_000) < truth, truth + 0.1))
    )
    assert error == pytest.approx(0.1, abs=0.005)
    assert noise < 0.01


def test_the_calibration_noise_is_what_perfect_models_show_on_average() -> None:
    generator = np.random.default_rng(3)
    pairs = []
    for _ in range(200):
        truth = generator.beta(1, 4, 2_000)
        pairs.append(metrics.calibration_error(metrics.reliability(bins_of(generator.random(2_000) < truth, truth))))
    errors, noises = np.array(pairs).T
    assert errors.mean() == pytest.approx(noises.mean(), rel=0.1)


def test_a_constant_model_has_no_skill_and_a_normalized_entropy_of_one() -> None:
    evaluation = evaluate_bins(ScoreBins.of_constant(clicks=25, others=75, probability=0.25))
    assert evaluation.auc == 0.5
    assert evaluation.normalized_entropy == pytest.approx(1)
    assert evaluation.calibration_error == pytest.approx(0)
    assert evaluation.clicks_in_top_tenth == pytest.approx(0.1)


@pytest.mark.parametrize(("clicks", "others", "label"), [(0, 5, 0), (5, 0, 1)])
def test_rows_of_one_class_are_refused_with_the_way_out(clicks: int, others: int, label: int) -> None:
    with pytest.raises(EvaluationError, match=rf"All 5 held-out rows have the label {label}.*lower `train_fraction`"):
        evaluate_bins(ScoreBins.of_constant(clicks=clicks, others=others, probability=0.5))


COUNTED = 10_000


def test_rows_in_pieces_are_counted_as_in_one() -> None:
    generator = np.random.default_rng(0)
    probability = np.round(generator.beta(1, 4, COUNTED), 4)
    clicked = generator.random(COUNTED) < probability
    of_slice = generator.integers(0, 3, COUNTED, dtype=np.int32)
    whole, pieces = ScoreCounts(models=2, slices=3), ScoreCounts(models=2, slices=3)
    whole.add(clicked, probability, slices=[InSlices(EACH, of_slice)])
    whole.add(clicked, 1 - probability, model=1)
    for piece in np.array_split(np.arange(COUNTED), 7):
        pieces.add(clicked[piece], probability[piece], slices=[InSlices(EACH, of_slice[piece])])
        pieces.add(clicked[piece], 1 - probability[piece], model=1)
    for one, other in zip(whole.batch().to_pylist(), pieces.batch().to_pylist(), strict=True):
        assert one == other


def test_counts_and_sums_are_those_of_the_rows() -> None:
    probability = np.array([0.25, 0.75, 0.25, 0.5])
    clicked = np.array([True, True, False, False])
    counts = ScoreCounts(slices=2)
    counts.add(clicked, probability, slices=[InSlices(EACH, np.array([0, 0, 0, 1], dtype=np.int32))])
    found = counts.batch().to_pylist()
    model = [bin_ for bin_ in found if bin_["of"] == 0]
    assert [bin_["lowest"] for bin_ in model] == [0.25, 0.5, 0.75]
    assert [bin_["rows"] for bin_ in model] == [2, 1, 1]
    assert [bin_["clicks"] for bin_ in model] == [1, 0, 1]
    assert [bin_["probability_sum"] / FIXED_POINT for bin_ in model] == [0.5, 0.5, 0.75]
    assert model[0]["loss_sum"] / FIXED_POINT == pytest.approx(-np.log(0.25) - np.log(0.75), abs=2e-9)
    assert [bin_["rows"] for bin_ in found if bin_["of"] == SLICES] == [2, 1]
    assert [bin_["rows"] for bin_ in found if bin_["of"] == SLICES + 1] == [1]


def test_a_row_may_be_in_two_slices_or_in_none() -> None:
    counts = ScoreCounts(slices=2)
    rows, numbers = np.array([2, 0, 2]), np.array([0, 1, 1], dtype=np.int32)
    clicked, probability = np.array([False, True, True]), np.array([0.25, 0.5, 0.75])
    counts.add(clicked, probability, slices=[InSlices(rows, numbers)])
    found = [(one["of"], one["lowest"], one["rows"], one["clicks"]) for one in counts.batch().to_pylist()]
    assert found[:3] == [(0, 0.25, 1, 0), (0, 0.5, 1, 1), (0, 0.75, 1, 1)]
    assert found[3:] == [(SLICES, 0.75, 1, 1), (SLICES + 1, 0.25, 1, 0), (SLICES + 1, 0.75, 1, 1)]


@pytest.mark.parametrize(("values", "tied"), [([0.3, 0.3], True), ([0.3, 0.3 + 1e-9], False)])
def test_only_equal_probabilities_are_tied(values: list[float], *, tied: bool) -> None:
    for pieces in ([values], [[value] for value in values]):
        counts = ScoreCounts()
        for piece in pieces:
            counts.add(np.zeros(len(piece), dtype=np.bool_), np.array(piece))
        (found,) = counts.batch().to_pylist()
        assert found["rows"] == 2
        assert (found["lowest"] == found["highest"]) is tied


def test_the_ends_have_bins_of_their_own() -> None:
    counts = ScoreCounts()
    counts.add(np.array([True, False]), np.array([1.0, 0.0]))
    low, high = counts.batch().to_pylist()
    assert (low["bin"], high["bin"]) == (0, NO_PROBABILITY - 1)


ROWS = 20_000


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Calibrated probabilities around 0.02, as rare clicks have, a tenth of them tied."""
    generator = np.random.default_rng(0)
    probability = 1 / (1 + np.exp(4.5 - 1.2 * generator.normal(size=ROWS)))
    probability[: ROWS // 10] = np.round(probability[: ROWS // 10], 2).clip(0.01)
    label = (generator.random(ROWS) < probability).astype(np.int32)
    return pd.DataFrame({"label": label, "probability": probability})


def scored(rows: pd.DataFrame) -> Evaluation:
    return evaluate(rows["label"].to_numpy() == 1, rows["probability"].to_numpy(np.float64))


def pairs(*pairs: tuple[int, float | None]) -> pd.DataFrame:
    return pd.DataFrame({"label": [label for label, _ in pairs], "probability": [value for _, value in pairs]})


def test_the_metrics_agree_with_scikit_learn(rows: pd.DataFrame) -> None:
    evaluation = scored(rows)
    label, probability = rows["label"], rows["probability"]
    assert abs(evaluation.auc - roc_auc_score(label, probability)) <= evaluation.auc_error_bound < 1e-3
    assert evaluation.auc == pytest.approx(roc_auc_score(label, probability), abs=1e-5)
    assert evaluation.log_loss == pytest.approx(log_loss(label, probability), abs=2e-9)
    assert evaluation.average_precision == pytest.approx(average_precision_score(label, probability), abs=1e-4)
    assert evaluation.mean_probability == pytest.approx(probability.mean(), abs=2e-9)
    assert (evaluation.rows, evaluation.clicks) == (ROWS, label.sum())


def test_certain_probabilities_keep_the_log_loss_finite() -> None:
    evaluation = scored(pairs((1, 1.0), (0, 0.0), (0, 1.0), (1, 0.0)))
    assert evaluation.auc == 0.5
    assert evaluation.log_loss == pytest.approx(-np.log(1e-15) / 2, rel=1e-3)


@pytest.mark.parametrize("value", [None, float("nan"), -0.1, 1.1, float("inf")])
def test_what_is_no_probability_is_refused_with_its_count(value: float | None) -> None:
    with pytest.raises(EvaluationError, match="1 of 3 held-out rows have no probability between 0 and 1"):
        scored(pairs((1, 0.5), (0, 0.4), (1, value)))


def test_no_rows_at_all_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no held-out rows"):
        scored(pairs())
