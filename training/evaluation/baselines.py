"""The baselines that a model must beat, and columns that predict the label alone.

The base rate, and logistic regression on the same features, which is fitted in this process on a bounded sample and
scores the held-out rows in the same pass as the model. The same sample shows target leakage.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit

from features.schema import Schema
from training.evaluation.metrics import Evaluation, evaluate
from training.kernels.columns import FEATURES, LABEL, RECORD_HASH, matrix
from training.kernels.split import sampling
from training.protocols import Scannable

BASE_RATE = "base_rate"
LOGISTIC_REGRESSION = "logistic_regression"
NAMES = {BASE_RATE: "click rate", LOGISTIC_REGRESSION: "logistic regression"}
"""The baselines' names in sentences."""
SAMPLE_ROWS = 100_000
"""The most rows to fit logistic regression on; more hardly change its few dozen coefficients."""
DIGITS = 9
"""Significant digits of logistic regression's weights. Their last bits depend on the processor and the number of
threads, and the report must not."""
SMALLEST = float(np.finfo(np.float64).eps)
"""How close to 0 and 1 a probability can come: a difference from 1 that float64 can still hold."""
_SAMPLED = pa.schema([(LABEL, pa.int32()), (RECORD_HASH, pa.int64()), (FEATURES, pa.list_(pa.float64()))])
ITERATIONS = 100
REGULARISATION = 1e-5
"""Just enough L2 to keep the coefficients of equal columns finite."""


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """Logistic regression on the inputs `columns` int[k], with missing ones replaced by `means` float64[k]."""

    columns: npt.NDArray[np.intp]
    means: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    intercept: float

    def probability(self, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The click probability, float64[n], of inputs float64[n, m] with NaN for missing."""
        # Not `@`, whose sums depend on the number of threads.
        logit = (_imputed(inputs[:, self.columns], self.means) * self.weights).sum(axis=1) + self.intercept
        clipped: npt.NDArray[np.float64] = np.clip(expit(logit), SMALLEST, 1 - SMALLEST)
        return clipped


def base_rate(held_out: Evaluation, *, rate: float) -> Evaluation:
    """The evaluation of always predicting `rate`, the training rows' click rate, on the rows of `held_out`."""
    return evaluate(np.arange(held_out.rows) < held_out.clicks, np.full(held_out.rows, rate))


def sample(train: Scannable, *, rows: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Inputs float64[n, m] and labels int32[n] of about `SAMPLE_ROWS` of the `rows` encoded rows, in random order."""
    found = train.scan(sampling(_SAMPLED, most=SAMPLE_ROWS, rows=rows, seed=seed, purpose="baselines"))
    table = found.sort_by([(RECORD_HASH, "ascending"), (LABEL, "ascending")]).combine_chunks()
    label, _, inputs = (table.column(name).chunk(0) for name in _SAMPLED.names)
    return matrix(inputs, inputs.value_lengths()[0].as_py()), label.to_numpy().astype(np.int32)


def fit_logistic(inputs: npt.NDArray[np.float64], label: npt.NDArray[np.int32]) -> Logistic | None:
    """Fit on inputs float64[n, m], NaN for missing, and labels int32[n]; None without any value or with one class only.

    A missing value is replaced by its column's mean; a column without any value is left out, and one whose squares
    float64 can't hold.
    """
    # Takes seconds, which processes that only score do not need.
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - see above
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - see above

    present = ~np.isnan(inputs)
    with np.errstate(over="ignore"):
        squares = np.square(2 * np.where(present, inputs, 0.0)).sum(axis=0)  # of twice each: a deviation may be larger
    columns = np.flatnonzero(present.any(axis=0) & np.isfinite(squares))
    if len(columns) == 0 or len(np.unique(label)) == 1:
        return None
    inputs, present = inputs[:, columns], present[:, columns]
    means = np.where(present, inputs, 0.0).sum(axis=0) / present.sum(axis=0)
    scaler = StandardScaler()
    standardised = scaler.fit_transform(_imputed(inputs, means))
    model = LogisticRegression(C=1 / (len(label) * REGULARISATION), max_iter=ITERATIONS).fit(standardised, label)
    weights = _rounded(model.coef_[0] / scaler.scale_)
    intercept = _rounded(model.intercept_ - (weights * scaler.mean_).sum())
    return Logistic(columns=columns, means=means, weights=weights, intercept=float(intercept[0]))


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values with `DIGITS` significant digits."""
    return np.array([float(f"{value:.{DIGITS - 1}e}") for value in values])


def _imputed(inputs: npt.NDArray[np.float64], means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.isnan(inputs), means, inputs)


SUSPICIOUS_AUC = 0.95
"""AUC of a single column that causes a warning. No column of Criteo's rows comes near it."""
ROWS = 20_000
"""The most rows to examine; enough for two digits of an AUC."""


def leak_warnings(inputs: npt.NDArray[np.float64], label: npt.NDArray[np.int32], schema: Schema) -> tuple[str, ...]:
    """A sentence for each column that predicts the label alone.

    `inputs` float64[n, p + 2c] are out-of-fold encoded rows in random order, so a category is judged by its rate among
    other rows; `label` is int32[n]. A missing value counts as the lowest.
    """
    label = label[:ROWS]
    if len(np.unique(label)) == 1:
        return ()
    first = [schema.places[column.name].start for column in schema.columns]
    return tuple(_leaks(np.nan_to_num(inputs[:ROWS, first], nan=-np.inf), label, schema))


def _leaks(columns: npt.NDArray[np.float64], label: npt.NDArray[np.int32], schema: Schema) -> Iterator[str]:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - takes seconds; wrong data is reported before

    lowest = np.finfo(np.float64).min
    for column, values in zip(schema.columns, np.maximum(columns, lowest).T, strict=True):
        area = float(roc_auc_score(label, np.minimum(values, -lowest)))
        if max(area, 1 - area) >= SUSPICIOUS_AUC:
            yield (
                f"The column {column.name} by itself predicts the label (AUC {max(area, 1 - area):.4f}). If it is "
                "filled in after the click, the model will be useless where it serves: leave the column out."
            )
