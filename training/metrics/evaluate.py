"""Evaluates the probabilities of held-out rows from counts by score, whose size does not depend on the rows."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.errors import PersonalizationError
from training.metrics import curves
from training.metrics.score_counts import FIXED_POINT, NO_PROBABILITY, ScoreCounts

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
    """Expected calibration error over bins of equally many rows, see `training.metrics.curves`."""
    calibration_noise: float
    """What a perfectly calibrated model would show as `calibration_error` on as many rows, by chance."""
    mean_probability: float
    clicks_in_top_tenth: float
    """Share of the clicks among the tenth of the rows with the highest probabilities."""
    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]
    reliability: tuple[curves.ReliabilityBin, ...]
    histogram: curves.Histogram

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


def evaluate_bins(bins: curves.ScoreBins) -> Evaluation:
    """The metrics of rows counted by score; raises `EvaluationError` if all have the same label."""
    clicks, rows = int(bins.clicks.sum()), int(bins.rows.sum())
    if rows == 0:
        raise EvaluationError("There are no held-out rows to measure on. Give more rows, or lower `train_fraction`.")
    if clicks in {0, rows}:
        raise EvaluationError(
            f"All {rows:,} held-out rows have the label {int(clicks > 0)}, so nothing can be measured on them. "
            "Give more rows, or hold out a larger share with a lower `train_fraction`."
        )
    auc, auc_error_bound = curves.area_under_roc(bins)
    log_loss = float(bins.loss_sum.sum()) / rows
    reliability = curves.reliability(bins)
    calibration_error, calibration_noise = curves.calibration_error(reliability)
    figures = {
        "auc": auc,
        "auc_error_bound": auc_error_bound,
        "average_precision": curves.average_precision(bins),
        "log_loss": log_loss,
        "normalized_entropy": log_loss / curves.entropy(clicks / rows),
        "calibration_error": calibration_error,
        "calibration_noise": calibration_noise,
        "mean_probability": float(bins.probability_sum.sum()) / rows,
        "clicks_in_top_tenth": curves.clicks_in_top(bins, 0.1),
    }
    return Evaluation(
        rows=rows,
        clicks=clicks,
        **{name: round(float(value), DECIMALS) for name, value in figures.items()},
        roc=curves.roc_curve(bins),
        precision_recall=curves.precision_recall_curve(bins),
        reliability=reliability,
        histogram=curves.histogram(bins),
    )


def score_bins(counts: pa.Table) -> dict[int, curves.ScoreBins]:
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


def _bins(columns: Mapping[str, npt.NDArray[Any]]) -> curves.ScoreBins:
    invalid = int(columns["rows"][columns["bin"] == NO_PROBABILITY].sum())
    if invalid:
        raise EvaluationError(
            f"{invalid:,} of {int(columns['rows'].sum()):,} held-out rows have no probability between 0 and 1. "
            "Check the data for infinite or extreme numbers."
        )
    return curves.ScoreBins(
        clicks=columns["clicks"],
        others=columns["rows"] - columns["clicks"],
        probability_sum=columns["probability_sum"] / FIXED_POINT,
        loss_sum=columns["loss_sum"] / FIXED_POINT,
        tied=columns["lowest"] == columns["highest"],
    )


_NO_ROWS = curves.ScoreBins(
    clicks=np.empty(0, np.int64),
    others=np.empty(0, np.int64),
    probability_sum=np.empty(0),
    loss_sum=np.empty(0),
    tied=np.empty(0, np.bool_),
)
