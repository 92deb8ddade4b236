"""Metrics of predicted probabilities, from counts by score, whose size does not depend on the number of rows.

Rows are counted where they are scored. The bins are so narrow that the AUC is exact to about five digits; the possible
error is computed too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.errors import PersonalizationError
from features.hashing import EACH, RowOfEach
from training.kernels.kernel import Merge

LOGIT_LIMIT = 20
BINS_PER_LOGIT = 16_384
"""Score bins are steps of 1/16,384 of the logit from -20 to 20, each within 0.006 % of its odds."""
SLICE_BINS_PER_LOGIT = 64
"""For segments, of which there are many; their AUC is exact to about four digits."""
NO_PROBABILITY = 2 * LOGIT_LIMIT * BINS_PER_LOGIT + 1
"""The bin of rows whose probability is missing or not within 0 to 1."""
BINS = NO_PROBABILITY + 1
SLICE_BINS = 2 * LOGIT_LIMIT * SLICE_BINS_PER_LOGIT + 1
SLICES = 1_000
"""The first number of a segment; lower numbers are models."""
SQUARES = SLICES - 1
"""The number of the one record with the squared differences of two models' losses; see `squares`."""
SMALLEST_PROBABILITY = 1e-15
"""Probabilities are clipped this far from 0 and 1 for the log loss, as LightGBM does."""
FIXED_POINT = 2.0**30
"""Sums over rows are integers of this scale: unlike floats, they add up to the same whatever the order.
A log loss of 35 fits 2.5e8 times; a row is rounded by 1e-9 at most."""
BY = ("of", "bin")
MERGED: Mapping[str, Merge] = {
    **dict.fromkeys(("rows", "clicks", "probability_sum", "loss_sum"), "sum"),
    "lowest": "min",
    "highest": "max",
}
COLUMNS = pa.schema(
    [
        *((name, pa.int32()) for name in BY),
        *((name, pa.int64()) for name, how in MERGED.items() if how == "sum"),
        *((name, pa.float64()) for name, how in MERGED.items() if how != "sum"),
    ]
)
"""A bin's counts and sums. If all of its rows have one probability, it is `lowest` and `highest`; else these are 0 and
1."""


class InSlices(NamedTuple):
    """The segments of m rows by number, int32[m] from 0 on, and which rows they are: all of them, or int64[m]."""

    rows: RowOfEach
    slices: npt.NDArray[np.int32]


class ScoreCounts:
    """The scores of one task's rows by each model, and by the first one per segment.

    At 41 bytes per bin this is 27 MB per model and 6 MB for 60 segments, of which only touched pages use memory.
    """

    def __init__(self, *, models: int = 1, slices: int = 0) -> None:
        """Nothing is counted yet."""
        places = models * BINS + slices * SLICE_BINS
        self._of = np.concatenate((np.arange(models), SLICES + np.arange(slices))).astype(np.int32)
        self._starts = np.concatenate((np.arange(models) * BINS, models * BINS + np.arange(slices) * SLICE_BINS))
        self._models = models
        self._rows = np.zeros(places, dtype=np.int64)
        self._clicks = np.zeros(places, dtype=np.int64)
        self._probability_sum = np.zeros(places, dtype=np.int64)
        self._loss_sum = np.zeros(places, dtype=np.int64)
        self._probability = np.zeros(places, dtype=np.float64)
        self._differ = np.zeros(places, dtype=np.bool_)

    def add(
        self,
        clicked: npt.NDArray[np.bool_],
        probability: npt.NDArray[np.float64],
        *,
        model: int = 0,
        slices: Sequence[InSlices] = (),
    ) -> None:
        """Count n rows, bool[n] and float64[n], for `model`, and for each of the segments `slices`."""
        valid = (probability >= 0) & (probability <= 1)  # NaN is not
        probability = np.where(valid, probability, 0.0)
        log, other_log = _logs(probability)
        # Shifted to begin at 0.
        logit = np.clip(log - other_log, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT
        loss = _fixed_point(-np.where(clicked, log, other_log))
        value, clicks = _fixed_point(probability), clicked.astype(np.int64)
        bins = np.where(valid, (logit * BINS_PER_LOGIT).astype(np.int64), NO_PROBABILITY)
        places: list[tuple[RowOfEach, npt.NDArray[np.int64]]] = [(EACH, self._starts[model] + bins)]
        bins = (logit * SLICE_BINS_PER_LOGIT).astype(np.int64)
        places += [(rows, self._starts[self._models + numbers] + bins[rows]) for rows, numbers in slices]
        for rows, place in places:
            own = probability[rows]
            empty = self._rows[place] == 0
            self._probability[place[empty]] = own[empty]
            self._differ[place[self._probability[place] != own]] = True
            np.add.at(self._rows, place, 1)
            np.add.at(self._clicks, place, clicks[rows])
            np.add.at(self._probability_sum, place, value[rows])
            np.add.at(self._loss_sum, place, loss[rows])

    def batch(self) -> pa.RecordBatch:
        """The counts as `COLUMNS`, with one row per bin that was hit."""
        hit = np.flatnonzero(self._rows)
        which = np.searchsorted(self._starts, hit, side="right") - 1
        counted = (
            self._of[which],
            (hit - self._starts[which]).astype(np.int32),
            self._rows[hit],
            self._clicks[hit],
            self._probability_sum[hit],
            self._loss_sum[hit],
            np.where(self._differ[hit], 0.0, self._probability[hit]),
            np.where(self._differ[hit], 1.0, self._probability[hit]),
        )
        return pa.RecordBatch.from_arrays([pa.array(values) for values in counted], schema=COLUMNS)


def squares(
    clicked: npt.NDArray[np.bool_], one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
) -> pa.RecordBatch:
    """The record `SQUARES` of `COLUMNS` for n rows, bool[n], by the probabilities of two models, float64[n] each.

    `rows` counts them, and `loss_sum` has the sum of the squared differences of their log losses.
    """
    losses = [-np.where(clicked, *_logs(probability)) for probability in (one, other)]
    total = int(_fixed_point((losses[0] - losses[1]) ** 2).sum())
    record = {"of": SQUARES, "rows": len(clicked), "loss_sum": total, "highest": 1}
    return pa.RecordBatch.from_pylist([dict.fromkeys(COLUMNS.names, 0) | record], schema=COLUMNS)


def _logs(probability: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The logarithms of the probabilities of a click, and of none."""
    inside = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.log(inside), np.log1p(-inside)


def _fixed_point(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    fixed: npt.NDArray[np.int64] = np.rint(values * FIXED_POINT).astype(np.int64)
    return fixed


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


DECIMALS = 9
"""Decimals of the metrics; further ones would differ between machines."""
CURVES = frozenset({"roc", "precision_recall", "reliability", "histogram"})


class EvaluationError(PersonalizationError):
    """Held-out rows from which no metric can be computed."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of a model on held-out rows."""

    rows: int
    clicks: int
    auc: float
    """Probability that a clicked row scores above an unclicked one; ties count half."""
    auc_error_bound: float
    """How far `auc` can be from the AUC of the exact scores."""
    average_precision: float
    log_loss: float
    """Mean of -ln(probability of what happened), in nats."""
    normalized_entropy: float
    """Log loss as a share of that of the rows' own click rate (He et al. 2014, "Practical Lessons from Predicting
    Clicks on Ads at Facebook"): below 1 is better than knowing the click rate alone."""
    calibration_error: float
    """Expected calibration error over bins of equally many rows, see `training.evaluation.metrics`."""
    calibration_noise: float
    """What a perfectly calibrated model would show as `calibration_error` on as many rows, by chance."""
    mean_probability: float
    clicks_in_top_tenth: float
    """Share of the clicks among the tenth of the rows with the highest probabilities."""
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]
    reliability: tuple[ReliabilityBin, ...]
    histogram: Histogram

    @property
    def base_rate(self) -> float:
        """Share of the rows that were clicked."""
        return self.clicks / self.rows

    def scalars(self) -> dict[str, Any]:
        """The figures without the curves, as plain JSON values."""
        names = [name for name in self.__struct_fields__ if name not in CURVES]
        return {"base_rate": self.base_rate} | {name: getattr(self, name) for name in names}


def evaluate(clicked: npt.NDArray[np.bool_], probability: npt.NDArray[np.float64]) -> Evaluation:
    """Evaluate the probabilities float64[n] of rows that were clicked or not, bool[n].

    Raises `EvaluationError` for no rows, for rows of one class only, and for probabilities that are missing or not
    within 0 to 1.
    """
    counts = ScoreCounts()
    counts.add(clicked, probability)
    return evaluate_counts(pa.Table.from_batches([counts.batch()]))


def evaluate_counts(counts: pa.Table) -> Evaluation:
    """The same from the `ScoreCounts` of all rows, of model 0."""
    return evaluate_bins(score_bins(counts).get(0, _NO_ROWS))


def evaluate_bins(bins: ScoreBins) -> Evaluation:
    """The metrics of rows counted by score; raises `EvaluationError` if all have the same label."""
    clicks, rows = int(bins.clicks.sum()), int(bins.rows.sum())
    if rows == 0:
        raise EvaluationError("There are no held-out rows to measure on. Give more rows, or lower `train_fraction`.")
    if clicks in {0, rows}:
        raise EvaluationError(
            f"All {rows:,} held-out rows have the label {int(clicks > 0)}, so nothing can be measured on them. "
            "Give more rows, or hold out a larger share with a lower `train_fraction`."
        )
    auc, auc_error_bound = area_under_roc(bins)
    log_loss = float(bins.loss_sum.sum()) / rows
    groups = reliability(bins)
    error, noise = calibration_error(groups)
    figures = {
        "auc": auc,
        "auc_error_bound": auc_error_bound,
        "average_precision": average_precision(bins),
        "log_loss": log_loss,
        "normalized_entropy": log_loss / entropy(clicks / rows),
        "calibration_error": error,
        "calibration_noise": noise,
        "mean_probability": float(bins.probability_sum.sum()) / rows,
        "clicks_in_top_tenth": clicks_in_top(bins, 0.1),
    }
    return Evaluation(
        rows=rows,
        clicks=clicks,
        **{name: round(float(value), DECIMALS) for name, value in figures.items()},
        roc=roc_curve(bins),
        precision_recall=precision_recall_curve(bins),
        reliability=groups,
        histogram=histogram(bins),
    )


def score_bins(counts: pa.Table) -> dict[int, ScoreBins]:
    """The bins of each model and segment, by number, from the `ScoreCounts` of all rows.

    Raises `EvaluationError` for probabilities that are missing or not within 0 to 1.
    """
    columns = {name: counts.column(name).to_numpy() for name in counts.column_names}
    order = np.lexsort((-columns["bin"], columns["of"]))
    columns = {name: values[order] for name, values in columns.items()}
    numbers, starts = np.unique(columns["of"], return_index=True)
    bounds = pairwise([*starts.tolist(), len(order)])
    return {
        number: _bins({name: values[start:end] for name, values in columns.items()})
        for number, (start, end) in zip(numbers.tolist(), bounds, strict=True)
    }


def _bins(columns: Mapping[str, npt.NDArray[Any]]) -> ScoreBins:
    invalid = int(columns["rows"][columns["bin"] == NO_PROBABILITY].sum())
    if invalid:
        raise EvaluationError(
            f"{invalid:,} of {int(columns['rows'].sum()):,} held-out rows have no probability between 0 and 1. "
            "Check the data for infinite or extreme numbers."
        )
    return ScoreBins(
        clicks=columns["clicks"],
        others=columns["rows"] - columns["clicks"],
        probability_sum=columns["probability_sum"] / FIXED_POINT,
        loss_sum=columns["loss_sum"] / FIXED_POINT,
        tied=columns["lowest"] == columns["highest"],
    )


_NO_ROWS = ScoreBins(
    clicks=np.empty(0, np.int64),
    others=np.empty(0, np.int64),
    probability_sum=np.empty(0),
    loss_sum=np.empty(0),
    tied=np.empty(0, np.bool_),
)
