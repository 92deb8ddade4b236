"""The baselines learn what can be learned, and columns that leak the label are named, in either direction."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from features.hashing import hash_whole_numbers
from features.schema import Schema
from tests.support.prepared_rows import MemoryRows
from training.evaluation import baselines
from training.evaluation.baselines import Logistic, base_rate, fit_logistic, leak_warnings, sample
from training.evaluation.metrics import evaluate
from training.kernels import columns, xxh64

FEATURES = ("small", "large", "partly", "constant", "absent")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """4,000 rows: two informative columns of very different scale, one partly missing, a constant and an empty one."""
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(4_000, 3))
    label = generator.random(4_000) < 1 / (1 + np.exp(1 - normal[:, 0] - 0.5 * normal[:, 1] - 0.8 * normal[:, 2]))
    return pd.DataFrame(
        {
            "label": label.astype(np.int32),
            "small": 1e-3 * normal[:, 0],
            "large": 1e6 * (1 + normal[:, 1]),
            "partly": np.where(generator.random(4_000) < 0.3, np.nan, normal[:, 2]),
            "constant": 7.0,
            "absent": np.nan,
        }
    )


def test_logistic_regression_is_as_good_as_on_all_the_columns_by_hand(rows: pd.DataFrame) -> None:
    train, held_out = rows[:3_000], rows[3_000:]
    used = list(FEATURES[:4])
    imputed = train[used].fillna(train[used].mean())
    scaler = StandardScaler().fit(imputed)
    reference = LogisticRegression(C=1 / (len(train) * baselines.REGULARISATION)).fit(
        scaler.transform(imputed), train["label"]
    )
    expected = reference.predict_proba(scaler.transform(held_out[used].fillna(train[used].mean())))[:, 1]
    model = fit_logistic(train[list(FEATURES)].to_numpy(), train["label"].to_numpy())
    assert model is not None
    np.testing.assert_allclose(model.probability(held_out[list(FEATURES)].to_numpy()), expected, atol=1e-4)
    assert roc_auc_score(held_out["label"], expected) > 0.7


def test_a_column_whose_squares_no_float_holds_is_left_out(rows: pd.DataFrame) -> None:
    inputs, label = rows[["small", "partly"]].to_numpy(), rows["label"].to_numpy()
    expected = fit_logistic(inputs, label)
    assert expected is not None
    for huge in (1e200, 1.7e308):
        column = np.where(np.arange(len(rows)) % 2, huge, -huge)
        model = fit_logistic(np.column_stack([column, inputs]), label)
        assert model is not None
        assert model.columns.tolist() == [1, 2]
        assert model.weights.tolist() == expected.weights.tolist()
    assert fit_logistic(column[:, None], label) is None


def test_a_confident_click_costs_what_it_costs() -> None:
    """A click at a logit of -15.5 costs ln(1 + exp(15.5)); none can cost more than float64 resolves, ln(2^52)."""
    model = Logistic(columns=np.array([0]), means=np.zeros(1), weights=np.array([-1.0]), intercept=0.5)
    probability = model.probability(np.array([[16.0], [2.0], [1e6]]))
    assert probability[:2] == pytest.approx([1 / (1 + np.exp(15.5)), 1 / (1 + np.exp(1.5))], rel=1e-12)
    cost = evaluate(np.array([True, False]), probability[:2]).log_loss
    assert cost == pytest.approx((np.log1p(np.exp(15.5)) + np.log1p(np.exp(-1.5))) / 2, abs=1e-9)
    assert -np.log(probability[2]) == pytest.approx(52 * np.log(2))


def test_the_base_rate_is_that_of_the_training_rows(rows: pd.DataFrame) -> None:
    rate, held_out = rows["label"][:3_000].mean(), rows["label"][3_000:]
    measured = base_rate(evaluate(held_out.to_numpy() == 1, np.full(1_000, 0.3)), rate=rate)
    assert measured.auc == 0.5
    assert measured.log_loss == pytest.approx(log_loss(held_out, np.full(1_000, rate)))


def encoded(rows: pd.DataFrame) -> pa.RecordBatch:
    """The rows as a run encodes them, with a hash of their own content."""
    hashes = hash_whole_numbers(rows["small"].to_numpy().view(np.int64), xxh64.first_seeds(len(rows))).view(np.int64)
    columns_of_run = {
        columns.LABEL: pa.array(rows["label"]),
        columns.RECORD_HASH: pa.array(hashes),
        columns.FEATURES: columns.lists(rows[list(FEATURES)].to_numpy(np.float64)),
    }
    return pa.RecordBatch.from_pydict(columns_of_run)


def test_a_large_training_set_is_sampled_by_content(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "SAMPLE_ROWS", 1_000)
    shuffled = rows.sample(frac=1, random_state=1)
    sampled = [
        sample(MemoryRows((encoded(part[:1_500]), encoded(part[1_500:]))), rows=len(rows), seed=1)
        for part in (rows, shuffled)
    ]
    assert 900 < len(sampled[0][0]) < 1_100
    for first, second in zip(*sampled, strict=True):
        np.testing.assert_array_equal(first, second)


LEAK_SCHEMA = Schema(numeric=("price", "age"), categorical=("shop",))


def honest_rows(count: int = 2_000) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Informative but not leaking inputs float64[n, 4], and the labels."""
    generator = np.random.default_rng(0)
    label = (generator.random(count) < 0.2).astype(np.int32)
    inputs = np.column_stack([generator.normal(label, 1), *generator.random((3, count))])
    return inputs, label


NOISE = np.random.default_rng(1).normal(0, 0.1, 2_000)


@pytest.mark.parametrize(
    ("place", "values", "named"),
    [
        (1, lambda label, _: label + NOISE, "The column age by itself predicts the label (AUC 1.0000)."),
        (0, lambda label, own: np.where(label == 1, np.nan, own), "The column price by itself"),
        (2, lambda label, _: np.where(label, 0.9, 0.1), "The column shop by itself"),
    ],
    ids=["by its number", "by being missing", "by its rate"],
)
def test_a_column_that_tells_the_label_is_named(
    place: int, values: Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]], named: str
) -> None:
    inputs, label = honest_rows()
    inputs[:, place] = values(label, inputs[:, place])
    (warning,) = leak_warnings(inputs, label, LEAK_SCHEMA)
    assert warning.startswith(named)


def test_honest_columns_infinite_numbers_and_rows_of_one_label_are_not_named() -> None:
    inputs, label = honest_rows()
    assert leak_warnings(inputs, label, LEAK_SCHEMA) == ()
    inputs[:5, 0] = [np.inf, -np.inf, np.inf, -np.inf, np.nan]
    inputs[:, 1] = np.nan
    assert leak_warnings(inputs, label, LEAK_SCHEMA) == ()
    assert leak_warnings(inputs, np.zeros_like(label), LEAK_SCHEMA) == ()
