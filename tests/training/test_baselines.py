"""The baselines are real models: they find what is there to find, and cope with missing and useless columns."""

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from training.evaluation import baselines
from training.evaluation.baselines import base_rate, fit_logistic, sample
from training.metrics.evaluate import evaluate
from training.preparation import encode
from training.preparation.split import RECORD_HASH

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


def test_the_base_rate_is_that_of_the_training_rows(spark: SparkSession, rows: pd.DataFrame) -> None:
    rate, held_out = rows["label"][:3_000].mean(), rows["label"][3_000:]
    scored = spark.createDataFrame(pd.DataFrame({"label": held_out, "probability": 0.3}))
    measured = base_rate(evaluate(scored), rate=rate)
    assert measured.auc == 0.5
    assert measured.log_loss == pytest.approx(log_loss(held_out, np.full(1_000, rate)))


def test_a_large_training_set_is_sampled_by_content(
    spark: SparkSession, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "SAMPLE_ROWS", 1_000)
    values = [F.coalesce(F.col(name), F.lit(float("nan"))) for name in FEATURES]
    inputs = array_to_vector(F.array(*values)).alias(encode.FEATURES)
    sampled = [
        sample(
            spark.createDataFrame(part).repartition(3).select("label", inputs, F.xxhash64(*values).alias(RECORD_HASH)),
            rows=len(rows),
            label="label",
            seed=1,
        )
        for part in (rows, rows.sample(frac=1, random_state=1))
    ]
    assert 900 < len(sampled[0][0]) < 1_100
    for first, second in zip(*sampled, strict=True):
        np.testing.assert_array_equal(first, second)


def test_columns_without_a_single_value_leave_nothing_to_fit(rows: pd.DataFrame) -> None:
    assert fit_logistic(rows[["absent"]].to_numpy(), rows["label"].to_numpy()) is None
