"""What a model must beat to be worth serving: the click rate alone, and logistic regression on the same features.

Logistic regression is fitted on the driver, on a sample whose size is bounded, and scores the held-out rows in the pass
in which the model does.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.metrics.curves import ScoreBins
from training.metrics.evaluate import Evaluation, evaluate_bins
from training.preparation.encode import FEATURES
from training.preparation.split import RECORD_HASH, about
from training.spark.identifiers import column

BASE_RATE = "base_rate"
LOGISTIC_REGRESSION = "logistic_regression"
NAMES = {BASE_RATE: "click rate alone", LOGISTIC_REGRESSION: "logistic regression"}
"""How the baselines are called in sentences."""
SAMPLE_ROWS = 100_000
"""Rows that logistic regression is fitted on at most: its few dozen coefficients hardly change with more."""
DECIMALS = 6
"""Of the probabilities that logistic regression is judged by: the order in which a processor adds shows in the last
bits, and the report must not."""
ITERATIONS = 100
REGULARISATION = 1e-5
"""Just enough L2 to keep the coefficients finite where columns say the same."""


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """Logistic regression on the inputs `columns` int[k], missing ones replaced by `means` float64[k]."""

    columns: npt.NDArray[np.intp]
    means: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    intercept: float

    def probability(self, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The click probability, float64[n], of inputs float64[n, m] with NaN for missing."""
        logit = _imputed(inputs[:, self.columns], self.means) @ self.weights + self.intercept
        rounded: npt.NDArray[np.float64] = np.round(1 / (1 + np.exp(-logit)), DECIMALS)
        return rounded


def base_rate(held_out: Evaluation, *, rate: float) -> Evaluation:
    """What the click rate of the training rows, `rate`, is worth on the rows that `held_out` was measured on."""
    clicks, others = held_out.clicks, held_out.rows - held_out.clicks
    return evaluate_bins(ScoreBins.of_constant(clicks=clicks, others=others, probability=rate))


def sample(
    train: DataFrame, *, rows: int, label: str, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Inputs float64[n, m] and labels int32[n] of about `SAMPLE_ROWS` of the `rows` encoded rows, given as vectors.

    They are chosen and ordered by their content, and so the same ones in every run.
    """
    train = about(train, SAMPLE_ROWS, rows=rows, seed=seed, purpose="baselines")
    inputs = vector_to_array(F.col(FEATURES)).alias(FEATURES)
    table = train.select(column(label).alias("label"), inputs, F.col(RECORD_HASH)).toPandas()
    table = table.sort_values([RECORD_HASH, "label"], kind="stable")
    return np.stack(table[FEATURES].tolist()), table["label"].to_numpy(np.int32)


def fit_logistic(inputs: npt.NDArray[np.float64], label: npt.NDArray[np.int32]) -> Logistic | None:
    """Fit on inputs float64[n, m], NaN for missing, and labels int32[n]; None without a single value or other label.

    A missing value takes its column's mean, a column without any value is left out.
    """
    present = ~np.isnan(inputs)
    columns = np.flatnonzero(present.any(axis=0))
    if len(columns) == 0 or len(np.unique(label)) == 1:
        return None
    inputs, present = inputs[:, columns], present[:, columns]
    means = np.where(present, inputs, 0.0).sum(axis=0) / present.sum(axis=0)
    scaler = StandardScaler()
    standardised = scaler.fit_transform(_imputed(inputs, means))
    model = LogisticRegression(C=1 / (len(label) * REGULARISATION), max_iter=ITERATIONS).fit(standardised, label)
    weights = model.coef_[0] / scaler.scale_
    return Logistic(
        columns=columns,
        means=means,
        weights=weights,
        intercept=float(model.intercept_[0] - weights @ scaler.mean_),
    )


def _imputed(inputs: npt.NDArray[np.float64], means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.isnan(inputs), means, inputs)
