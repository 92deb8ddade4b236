"""Count tables: how often each category value was seen and clicked, and the encoder that follows from them.

They hold only integers. All rates are computed here, in one process, from these integers, so both training engines and
the service use the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.encoder import Encoder

MAX_VALUES = 3_500_000
"""The most values an encoder may hold, all columns together: at 16 bytes each, 56 MB of the bundle."""
MAX_ROWS = 100_000
"""The highest row count that `thresholds` tells apart: no dataset has enough values with more to fill an encoder."""
MIN_POOLED_VALUES = 100
"""How many rare values a column needs for their pooled rate to stand for unseen values: over 100 values the standard
error of a rate is at most 0.05, half the square root of 1/100."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """One entry per distinct value of a categorical column: `column` int16[v], `hash`, `rows` and `clicks` int64[v].

    Ascending by column, then hash.
    """

    column: npt.NDArray[np.int16]
    hash: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    clicks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many distinct values there are in all columns."""
        return len(self.hash)


@dataclass(frozen=True, kw_only=True)
class PooledCounts:
    """Counts with the rare values of each column pooled.

    `kept` has the frequent values; `rare_rows` and `rare_clicks`, int64[c], have one pool per categorical column.
    """

    kept: Counts
    rare_rows: npt.NDArray[np.int64]
    rare_clicks: npt.NDArray[np.int64]

    def per_column(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The sums of `values`, int64[v], over each column's kept entries, int64[c]."""
        sums = np.zeros(len(self.rare_rows), dtype=np.int64)
        np.add.at(sums, self.kept.column, values)
        return sums

    def averages(self) -> npt.NDArray[np.float64]:
        """The click rate over all rows by each column's counts, float64[c]; 0 if nothing was counted."""
        rows = self.per_column(self.kept.rows) + self.rare_rows
        clicks = self.per_column(self.kept.clicks) + self.rare_clicks
        return np.divide(clicks, rows, out=np.zeros(len(rows)), where=rows > 0)


def thresholds(
    values: npt.NDArray[np.int64], *, min_category_rows: int, max_values: int = MAX_VALUES
) -> npt.NDArray[np.int64]:
    """How many rows a value of each column needs to get a place in the encoder, int64[c].

    It is `min_category_rows`, or more if there would be more than `max_values` values. A column with fewer than
    `MIN_POOLED_VALUES` rare values gets no pool, since a few values would decide the rate of every new one. `values`,
    int64[c, m], is the number of values of each column that were seen in 0, 1, 2 ... rows; its last entry includes
    those seen in more.
    """
    of_as_many = np.cumsum(values.sum(axis=0)[::-1])[::-1]
    fitting = np.flatnonzero(of_as_many <= max_values)
    needed = max(min_category_rows, int(fitting[0]) if len(fitting) else values.shape[1])
    return np.where(values[:, :needed].sum(axis=1) < MIN_POOLED_VALUES, 1, needed)


def smoothed_rate(
    clicks: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    *,
    average: npt.NDArray[np.float64],
    smoothing: float,
) -> npt.NDArray[np.float32]:
    """Click rates of the same shape, with `smoothing` rows of the average mixed in; the average if there is no row."""
    weight = rows + smoothing
    rate = np.divide(clicks + smoothing * average, weight, out=np.array(average, dtype=np.float64), where=weight > 0)
    return rate.astype(np.float32)


def derive_encoder(pooled: PooledCounts, *, columns: Sequence[str], smoothing: float) -> Encoder:
    """The encoder that follows from the counts of the categorical `columns`.

    It encodes rare and unseen values alike, with the rate of the column's pool and a log count of 0.
    """
    average = pooled.averages()
    kept = pooled.kept
    unseen = smoothed_rate(pooled.rare_clicks, pooled.rare_rows, average=average, smoothing=smoothing)
    return Encoder(
        columns=tuple(columns),
        offsets=np.searchsorted(kept.column, np.arange(len(columns) + 1)).astype(np.int64),
        hashes=kept.hash,
        rates=smoothed_rate(kept.clicks, kept.rows, average=average[kept.column], smoothing=smoothing),
        log_counts=np.log1p(kept.rows).astype(np.float32),
        unseen=np.column_stack([unseen, np.zeros_like(unseen)]),
    )
