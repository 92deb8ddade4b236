"""Histograms of the data that a model was trained on, and how far later data has drifted from them.

Categories are counted by the click rate that the encoder gives them, so that a column of a million values needs no more
bins than a number does; a value that the encoder does not know counts as one without a rate, as a missing number does.
"""

from collections.abc import Sequence
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from features.schema import Schema

FILE = "reference.json"
BINS = 10
"""Intervals with equally many rows each; ten is the usual number for a population stability index."""
NEARLY, SMALLEST = 1e-9, 1e-300
"""How far from a value others count as equal to it, relative to it, and at least: the last bits of a probability depend
on what computes it."""
PSEUDO_ROWS = 0.5
"""Added to each bin before shares are compared, since an empty bin would make the index infinite."""
STABLE, MAJOR_SHIFT = 0.1, 0.25
"""Data with an index up to the first is usually called stable, and from the second on shifted (Siddiqi 2006, "Credit
Risk Scorecards")."""
Numbers = npt.NDArray[np.float64]


class Histogram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Row counts by value: below the first of the ascending `edges`, between each two, above the last; missing."""

    edges: tuple[float, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, values: Numbers) -> Self:
        """The histogram of `values`, float64[n] with NaN for missing, in `BINS` intervals of about equal size.

        A value in more rows than such an interval would hold has an interval of its own.
        """
        present = values[~np.isnan(values)]
        empty = cls(edges=tuple(_edges(present).tolist()) if len(present) else (), rows=())
        return msgspec.structs.replace(empty, rows=tuple(empty.count(values).tolist()))

    def count(self, values: Numbers) -> npt.NDArray[np.int64]:
        """How many of `values` float64[n] lie in each bin, int64[k]."""
        present = values[~np.isnan(values)]
        inside = np.bincount(np.searchsorted(self.edges, present, side="right"), minlength=len(self.edges) + 1)
        return np.append(inside, len(values) - len(present)).astype(np.int64)


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The baseline for drift: histograms of held-out rows' probabilities and of each column, including crosses."""

    prediction: Histogram
    columns: dict[str, Histogram]


def _edges(present: Numbers) -> Numbers:
    edges: Numbers = np.quantile(present, np.arange(1, BINS) / BINS, method="inverted_cdf")
    distinct, rows = np.unique(present, return_counts=True)
    heavy = distinct[(rows * BINS > len(present)) & np.isfinite(distinct)]
    room = np.maximum(np.abs(heavy) * NEARLY, SMALLEST)
    low, high = heavy - room, heavy + room
    inside = ((edges[:, None] >= low) & (edges[:, None] <= high)).any(axis=1)
    found: Numbers = np.unique(np.concatenate([edges[~inside], low, high]))
    kept: Numbers = found[np.isfinite(found) | np.isin(found, edges)]
    return kept


def column_values(schema: Schema, inputs: Numbers) -> Numbers:
    """The values whose drift is measured, float64[n, c] for the `Schema.columns`, from model inputs, float64[n, f]."""
    return np.column_stack([column.watched(inputs[:, schema.places[column.name]]) for column in schema.columns])


def stability_index(reference: Sequence[float] | npt.NDArray[np.generic], rows: npt.NDArray[np.generic]) -> float:
    """The population stability index of the bin counts `rows`, [k], against `reference`, [k]; 0 means equal shares.

    The sum over bins of (a - e) ln(a / e) of the actual and the expected share; see `STABLE` and `MAJOR_SHIFT`.
    """
    expected, actual = _shares(np.asarray(reference, np.float64)), _shares(rows.astype(np.float64))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def _shares(rows: Numbers) -> Numbers:
    padded = rows + PSEUDO_ROWS
    shares: Numbers = padded / padded.sum()
    return shares
