"""Weights between items, cut to the largest of each row: what a recommender serves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices

NAME = "weights between items"
"""What a report calls this kind of a first stage."""
OTHERS, WEIGHTS = "others.npy", "weights.npy"
LARGEST = 500
"""How many weights a row keeps. On MovieLens-100k, 200 cost 0.003 of NDCG@10 and 500 nothing."""
MOST_ITEMS = 10_000
"""The most items with weights: their matrix is inverted in a minute, in 1 GB of memory."""


@dataclass(frozen=True, kw_only=True)
class ItemWeights:
    """The largest weights of m items, k for each: the other item, uint16[m, k] ascending in a row, and its weight,
    float32[m, k].

    At most 30 MB. Weights of 16 bits would lose nothing, but to convert them takes longer than to add them up.
    """

    others: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.float32]

    @classmethod
    def cut(cls, dense: npt.NDArray[np.float64], largest: int = LARGEST) -> Self:
        """The `largest` weights of each row of `dense`, float64[m, m], by magnitude."""
        kept = min(largest, dense.shape[1])
        others = np.empty((len(dense), kept), dtype=np.uint16)
        weights = np.empty((len(dense), kept), dtype=np.float32)
        for row, values in enumerate(dense):
            others[row] = np.sort(np.argpartition(-np.abs(values), kept - 1)[:kept])
            weights[row] = values[others[row]]
        return cls(others=others, weights=weights)

    def scores(self, history: Indices) -> npt.NDArray[np.float64]:
        """The score of each item, float64[m], for somebody who chose the items `history`, int64[h], each named once."""
        others = self.others[history].ravel().astype(np.int64)  # `bincount` converts in three times the time
        scores = np.bincount(others, weights=self.weights[history].ravel(), minlength=len(self.others))
        return scores.astype(np.float64, copy=False)

    def reasons(self, history: Indices, best: Indices, most: int) -> list[list[int]]:
        """For each of the items `best`, the at most `most` items of `history` that add most to its score, if any do."""
        places = np.full(len(self.others), -1, dtype=np.int16)
        places[best] = np.arange(len(best))
        found = places[self.others[history]].ravel()
        at = np.flatnonzero(found >= 0)
        row, column = np.divmod(at, self.others.shape[1])
        added = self.weights[history[row], column]
        adds = added > 0
        place, row, added = found[at][adds], row[adds], added[adds]
        order = np.lexsort((row, -added, place))
        sorted_places = place[order]
        order = order[np.arange(len(order)) - np.searchsorted(sorted_places, sorted_places) < most]
        reasons: list[list[int]] = [[] for _ in best]
        for which, item in zip(place[order].tolist(), history[row[order]].tolist(), strict=True):
            reasons[which].append(item)
        return reasons

    def save(self, folder: Path) -> None:
        """See `FirstStage`."""
        np.save(folder / OTHERS, self.others)
        np.save(folder / WEIGHTS, self.weights)

    @classmethod
    def load(cls, folder: Path, items: int) -> Self:
        """See `FirstStage`."""
        others, weights = (np.asarray(np.load(folder / name, mmap_mode="r")) for name in (OTHERS, WEIGHTS))
        is_known = weights.dtype in {np.dtype(np.float32), np.dtype(np.float16)}  # earlier bundles have 16 bits
        types = others.dtype == np.uint16 and is_known and others.shape == weights.shape
        if not types or len(others) != items or others.max(initial=0) >= items:
            raise ValueError(f"{OTHERS} and {WEIGHTS} are not of {items} items")
        if not np.all(others[:, :-1] < others[:, 1:]):
            raise ValueError(f"{OTHERS} has a row whose items do not ascend")
        return cls(others=others, weights=weights.astype(np.float32, copy=False))
