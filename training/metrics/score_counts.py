"""Counts rows by score where they are scored, so that only counts are moved, whose size does not depend on the rows.

The bins are so narrow that the AUC is exact to about five digits; the possible error is computed too.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

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
