"""AUC, curves and calibration from counts per score bin, in plain NumPy, for any number of rows."""

from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

CURVE_POINTS = 200
"""Points of a stored curve: more than a plot can show, few enough for a small report."""
CALIBRATION_BINS = 15
"""Bins of the expected calibration error at most, the number of Guo et al. 2017, "On Calibration of Modern Neural
Networks". They hold equally many rows, as Nixon et al. 2019, "Measuring Calibration in Deep Learning", advise: click
probabilities crowd together near zero, where bins of equal width would hold nearly all rows."""
HISTOGRAM_BINS = 40
CALIBRATION_BIN_ROWS = 400
"""The fewest rows per calibration bin. By chance alone the click rate of 400 rows is off by up to 0.02 on average, so
smaller bins would measure the sample and not the model."""

Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of similar predicted probability: the mean prediction and the clicks."""

    rows: int
    clicks: int
    mean_probability: float


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by probability, in `HISTOGRAM_BINS` bins of equal width from 0 to `highest`."""

    highest: float
    rows: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreBins:
    """Rows grouped by score, highest score first. Every array has one entry per bin.

    `clicks` and `others` int64 count the rows by label, `probability_sum` and `loss_sum` float64 add up over the
    bin's rows, `tied` is true where all rows of the bin have the very same probability.
    """

    clicks: Counts
    others: Counts
    probability_sum: Numbers
    loss_sum: Numbers
    tied: npt.NDArray[np.bool_]

    @property
    def rows(self) -> Counts:
        """Rows per bin."""
        return self.clicks + self.others

    @classmethod
    def of_constant(cls, *, clicks: int, others: int, probability: float) -> Self:
        """The single bin of a model that predicts one probability, strictly between 0 and 1, for all rows."""
        loss = -clicks * np.log(probability) - others * np.log1p(-probability)
        return cls(
            clicks=np.array([clicks]),
            others=np.array([others]),
            probability_sum=np.array([probability * (clicks + others)]),
            loss_sum=np.array([loss]),
            tied=np.array([True]),
        )


def area_under_roc(bins: ScoreBins) -> tuple[float, float]:
    """AUC with ties counted half, and how far it can be from the AUC of the exact scores.

    Only pairs of a clicked and an unclicked row within one bin of different scores are in doubt, by half each.
    """
    clicks, others = bins.clicks.astype(np.float64), bins.others.astype(np.float64)
    pairs = clicks.sum() * others.sum()
    above = np.cumsum(clicks) - clicks
    ordered = (others * (above + clicks / 2)).sum()
    doubtful = (clicks * others)[~bins.tied].sum() / 2
    return float(ordered / pairs), float(doubtful / pairs)


def roc_curve(bins: ScoreBins) -> tuple[tuple[float, float], ...]:
    """(false positive rate, true positive rate) from (0, 0) to (1, 1), at most `CURVE_POINTS` points."""
    false_rate = _cumulative_share(bins.others)
    true_rate = _cumulative_share(bins.clicks)
    return _thin(false_rate, true_rate, along=false_rate + true_rate)


def precision_recall_curve(bins: ScoreBins) -> tuple[tuple[float, float], ...]:
    """(recall, precision) by falling score threshold, at most `CURVE_POINTS` points."""
    clicks = np.cumsum(bins.clicks)
    recall = clicks / clicks[-1]
    precision = clicks / np.cumsum(bins.rows)
    return _thin(recall, precision, along=recall)


def average_precision(bins: ScoreBins) -> float:
    """Precision averaged over the clicks: each bin's precision is weighted by its clicks."""
    clicks = np.cumsum(bins.clicks)
    return float((clicks / np.cumsum(bins.rows) * bins.clicks).sum() / clicks[-1])


def clicks_in_top(bins: ScoreBins, share: float) -> float:
    """Share of all clicks among the `share` of rows with the highest scores; rows of one bin count alike."""
    return float(np.interp(share, _cumulative_share(bins.rows), _cumulative_share(bins.clicks)))


def reliability(bins: ScoreBins) -> tuple[ReliabilityBin, ...]:
    """The rows in groups of nearly equal size by rising probability; rows of one score bin stay together."""
    rows = bins.rows[::-1]
    total = int(rows.sum())
    groups = int(np.clip(total // CALIBRATION_BIN_ROWS, 1, CALIBRATION_BINS))
    middle = np.cumsum(rows) - rows / 2
    group = np.minimum((middle * groups / total).astype(np.int64), groups - 1)
    rows_in = np.bincount(group, weights=rows)
    clicks_in = np.bincount(group, weights=bins.clicks[::-1])
    probability_in = np.bincount(group, weights=bins.probability_sum[::-1])
    return tuple(
        ReliabilityBin(rows=int(count), clicks=int(clicks), mean_probability=float(probability / count))
        for count, clicks, probability in zip(rows_in, clicks_in, probability_in, strict=True)
        if count
    )


def histogram(bins: ScoreBins) -> Histogram:
    """The distribution of the probabilities; a score bin's rows count at their mean probability."""
    means = bins.probability_sum / bins.rows
    highest = float(means.max())
    rows, _ = np.histogram(means, bins=HISTOGRAM_BINS, range=(0, highest or 1.0), weights=bins.rows)
    return Histogram(highest=highest, rows=tuple(int(count) for count in rows))


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> tuple[float, float]:
    """Expected calibration error, and what a perfectly calibrated model would show by chance on as many rows.

    The error is the mean over rows of |click rate - mean probability| of the row's bin. By chance the click count of
    a bin is normal around its expectation, and the mean absolute value of a normal is sqrt(2 / pi) of its deviation.
    """
    total = sum(part.rows for part in bins)
    error = sum(abs(part.clicks - part.rows * part.mean_probability) for part in bins) / total
    deviations = (np.sqrt(part.rows * part.mean_probability * (1 - part.mean_probability)) for part in bins)
    return error, float(np.sqrt(2 / np.pi) * sum(deviations) / total)


def entropy(rate: float) -> float:
    """Log loss in nats of always predicting `rate`, the click rate, strictly between 0 and 1."""
    return float(-rate * np.log(rate) - (1 - rate) * np.log1p(-rate))


def _cumulative_share(counts: Counts) -> Numbers:
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    return np.asarray(cumulative / cumulative[-1], dtype=np.float64)


def _thin(x: Numbers, y: Numbers, *, along: Numbers) -> tuple[tuple[float, float], ...]:
    """At most `CURVE_POINTS` of the points, evenly spread over the rising quantity `along`, both ends kept."""
    wanted = np.linspace(along[0], along[-1], CURVE_POINTS)
    chosen = np.unique(np.minimum(np.searchsorted(along, wanted), len(along) - 1))
    return tuple((round(float(x[index]), 6), round(float(y[index]), 6)) for index in chosen)
