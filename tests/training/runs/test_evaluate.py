"""Metrics from counts agree with scikit-learn for any order of the rows, and invalid probabilities are refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from training.metrics.evaluate import Evaluation, EvaluationError, evaluate

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


def test_the_figures_do_not_depend_on_the_order(rows: pd.DataFrame) -> None:
    assert scored(rows) == scored(rows.sample(frac=1, random_state=1))


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
