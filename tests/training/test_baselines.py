"""The baselines are real models: they find what is there to find, and cope with missing and useless columns."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from training import baselines
from training.baselines import BASE_RATE, LOGISTIC_REGRESSION, evaluate_baselines
from training.evaluate import Evaluation

pytestmark = pytest.mark.spark

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


@pytest.fixture(scope="module")
def measured(spark: SparkSession, rows: pd.DataFrame) -> Mapping[str, Evaluation]:
    train, held_out = spark.createDataFrame(rows[:3_000]), spark.createDataFrame(rows[3_000:])
    return evaluate_baselines(train, held_out, features=FEATURES)


def test_logistic_regression_is_as_good_as_scikit_learns(measured: Mapping[str, Evaluation], rows: pd.DataFrame):
    train, held_out = rows[:3_000], rows[3_000:]
    used = list(FEATURES[:4])
    imputed = train[used].fillna(train[used].mean())
    scaler = StandardScaler().fit(imputed)
    reference = LogisticRegression(C=1 / (len(train) * baselines.REGULARISATION)).fit(
        scaler.transform(imputed), train["label"]
    )
    expected = reference.predict_proba(scaler.transform(held_out[used].fillna(train[used].mean())))[:, 1]
    ours = measured[LOGISTIC_REGRESSION]
    assert ours.auc == pytest.approx(roc_auc_score(held_out["label"], expected), abs=1e-4)
    assert ours.log_loss == pytest.approx(log_loss(held_out["label"], expected), abs=1e-4)


def test_the_base_rate_is_that_of_the_training_rows(measured: Mapping[str, Evaluation], rows: pd.DataFrame):
    rate = rows["label"][:3_000].mean()
    assert measured[BASE_RATE].auc == 0.5
    assert measured[BASE_RATE].log_loss == pytest.approx(log_loss(rows["label"][3_000:], np.full(1_000, rate)))


def test_a_large_training_set_is_sampled_by_content(
    spark: SparkSession, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(baselines, "SAMPLE_ROWS", 1_000)
    frames = [spark.createDataFrame(part).repartition(3) for part in (rows, rows.sample(frac=1, random_state=1))]
    sampled = [baselines._sample(frame, len(rows)).toPandas() for frame in frames]  # noqa: SLF001 - no public result shows which rows were taken
    assert 900 < len(sampled[0]) < 1_100
    pd.testing.assert_frame_equal(*(part.sort_values("small", ignore_index=True) for part in sampled))


def test_columns_without_a_single_value_leave_only_the_click_rate(spark: SparkSession, rows: pd.DataFrame):
    frame = spark.createDataFrame(rows[:100])
    assert list(evaluate_baselines(frame, frame, features=("absent",))) == [BASE_RATE]
