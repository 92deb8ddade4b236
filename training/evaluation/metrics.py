"""Metrics of predicted probabilities on held-out rows: scikit-learn's, and calibration by groups of equal size."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import entr
from scipy.stats import rankdata

from features.errors import PersonalizationError

SMALLEST_PROBABILITY = 1e-15
"""Probabilities are clipped this far from 0 and 1 for the log loss, as LightGBM does."""
CURVE_POINTS = 200
"""Points of a stored curve: more than a plot can show, few enough for a small report."""
CALIBRATION_BINS = 15
"""Bins of the expected calibration error at most, the number of Guo et al. 2017, "On Calibration of Modern Neural
Networks". They hold equally many rows, as Nixon et al. 2019, "Measuring Calibration in Deep Learning", advise: click
probabilities crowd together near zero, where bins of equal width would hold nearly all rows."""
CALIBRATION_BIN_ROWS = 400
"""The fewest rows per calibration bin. By chance alone the click rate of 400 rows is off by up to 0.02 on average, so
smaller bins would measure the sample and not the model."""
DECIMALS = 9
"""Decimals of the metrics; further ones would differ between machines."""
CURVES = frozenset({"roc", "reliability"})

Clicked = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


class EvaluationError(PersonalizationError):
    """Held-out rows from which no metric can be computed."""


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of similar predicted probability: the mean prediction and the clicks."""

    rows: int
    clicks: int
    mean_probability: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of a model on held-out rows."""

    rows: int
    clicks: int
    auc: float
    """Probability that a clicked row scores above an unclicked one; ties count half."""
    average_precision: float
    log_loss: float
    """Mean of -ln(probability of what happened), in nats."""
    normalized_entropy: float
    """Log loss as a share of that of the rows' own click rate (He et al. 2014, "Practical Lessons from Predicting
    Clicks on Ads at Facebook"): below 1 is better than knowing the click rate alone."""
    calibration_error: float
    """Expected calibration error over bins of equally many rows."""
    calibration_noise: float
    """What a perfectly calibrated model would show as `calibration_error` on as many rows, by chance."""
    mean_probability: float
    clicks_in_top_tenth: float
    """Share of the clicks among the tenth of the rows with the highest probabilities."""
    roc: tuple[tuple[float, float], ...]
    """(false positive rate, true positive rate) from (0, 0) to (1, 1), at most `CURVE_POINTS` points."""
    reliability: tuple[ReliabilityBin, ...]

    @property
    def base_rate(self) -> float:
        """Share of the rows that were clicked."""
        return self.clicks / self.rows

    def scalars(self) -> dict[str, Any]:
        """The figures without the curves, as plain JSON values."""
        names = [name for name in self.__struct_fields__ if name not in CURVES]
        return {"base_rate": self.base_rate} | {name: getattr(self, name) for name in names}


def evaluate(clicked: Clicked, probability: Numbers) -> Evaluation:
    """Evaluate the probabilities float64[n] of rows that were clicked or not, bool[n].

    Raises `EvaluationError` for no rows, for rows of one class only, and for probabilities that are missing or not
    within 0 to 1.
    """
    from sklearn import metrics  # noqa: PLC0415 - takes seconds; wrong data is reported before

    clicked, probability = in_order(clicked, probability)
    rows, clicks = len(clicked), int(clicked.sum())
    if rows == 0:
        raise EvaluationError("There are no held-out rows to measure on. Give more rows, or lower `train_fraction`.")
    if clicks in {0, rows}:
        raise EvaluationError(
            f"All {rows:,} held-out rows have the label {int(clicks > 0)}, so nothing can be measured on them. "
            "Give more rows, or hold out a larger share with a lower `train_fraction`."
        )
    false_rate, true_rate, _ = metrics.roc_curve(clicked, probability, drop_intermediate=False)
    picked = (clicks * true_rate + (rows - clicks) * false_rate) / rows
    groups = reliability(clicked, probability)
    error, noise = calibration_error(groups)
    log_loss = float(losses(clicked, probability).mean())
    figures = {
        "auc": metrics.auc(false_rate, true_rate),
        "average_precision": metrics.average_precision_score(clicked, probability),
        "log_loss": log_loss,
        "normalized_entropy": log_loss / (entr(clicks / rows) + entr(1 - clicks / rows)),
        "calibration_error": error,
        "calibration_noise": noise,
        "mean_probability": probability.mean(),
        "clicks_in_top_tenth": np.interp(0.1, picked, true_rate),
    }
    return Evaluation(
        rows=rows,
        clicks=clicks,
        **{name: round(float(value), DECIMALS) for name, value in figures.items()},
        roc=_thin(false_rate, true_rate),
        reliability=groups,
    )


def in_order(clicked: Clicked, probability: Numbers) -> tuple[Clicked, Numbers]:
    """The rows by rising probability: engines give them in any order, on which the last bits of sums depend.

    Raises `EvaluationError` for probabilities that are missing or not within 0 to 1.
    """
    wrong = int((~((probability >= 0) & (probability <= 1))).sum())
    if wrong:
        raise EvaluationError(
            f"{wrong:,} of {len(clicked):,} held-out rows have no probability between 0 and 1. "
            "Check the data for infinite or extreme numbers."
        )
    order = np.lexsort((clicked, probability))
    return clicked[order], probability[order]


def losses(clicked: Clicked, probability: Numbers) -> Numbers:
    """The log loss of each row, float64[n]."""
    inside = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    found: Numbers = -np.where(clicked, np.log(inside), np.log1p(-inside))
    return found


def reliability(clicked: Clicked, probability: Numbers) -> tuple[ReliabilityBin, ...]:
    """The rows in groups of nearly equal size by rising probability; rows of one probability stay together."""
    rows = len(clicked)
    groups = int(np.clip(rows // CALIBRATION_BIN_ROWS, 1, CALIBRATION_BINS))
    group = ((rankdata(probability) - 0.5) * groups / rows).astype(np.int64)
    rows_in, clicks_in, sums = (np.bincount(group, weights=of) for of in (None, clicked, probability))
    return tuple(
        ReliabilityBin(rows=int(count), clicks=int(clicks), mean_probability=float(total / count))
        for count, clicks, total in zip(rows_in, clicks_in, sums, strict=True)
        if count
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> tuple[float, float]:
    """Expected calibration error, and what a perfectly calibrated model would show by chance on as many rows.

    The error is the mean over rows of |click rate - mean probability| of the row's bin. By chance the click count of
    a bin is normal around its expectation, and the mean absolute value of a normal is sqrt(2 / pi) of its deviation.
    """
    total = sum(part.rows for part in bins)
    error = sum(abs(part.clicks - part.rows * part.mean_probability) for part in bins) / total
    deviations = (np.sqrt(part.rows * part.mean_probability * (1 - part.mean_probability)) for part in bins)
    return error, float(np.sqrt(2 / np.pi) * sum(deviations) / total)


def _thin(x: Numbers, y: Numbers) -> tuple[tuple[float, float], ...]:
    """At most `CURVE_POINTS` of the points of a rising curve, evenly spread along it, both ends kept."""
    along = x + y
    wanted = np.linspace(along[0], along[-1], CURVE_POINTS)
    chosen = np.unique(np.minimum(np.searchsorted(along, wanted), len(along) - 1))
    return tuple((round(float(x[index]), 6), round(float(y[index]), 6)) for index in chosen)
