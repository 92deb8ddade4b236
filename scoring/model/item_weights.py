"""Recommendations by the kernel in C: weights between items are summed and searched, and the best scores are found."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices
from recommend.recommender import Recommender
from recommend.weights import ItemWeights
from scoring.native import KERNEL, Kernel

_NO_REASON = -1


@dataclass(frozen=True, kw_only=True)
class KernelWeights(ItemWeights):
    """The same weights, and to the last bit the same results."""

    kernel: Kernel

    def scores(self, history: Indices) -> npt.NDArray[np.float64]:
        """See `ItemWeights.scores`."""
        scores = np.zeros(len(self.others))
        self.kernel.add_weights(len(scores), self.others, self.weights, history, scores)
        return scores

    def reasons(self, history: Indices, best: Indices, most: int) -> list[list[int]]:
        """See `ItemWeights.reasons`."""
        found = np.full((len(best), most), _NO_REASON)
        self.kernel.reasons(len(self.others), self.others, self.weights, history, found, best)
        return [[item for item in row if item != _NO_REASON] for row in found.tolist()]


def with_kernel(recommender: Recommender, kernel: Kernel | None = KERNEL) -> Recommender:
    """The recommender, which computes by the kernel what that can, if there is one."""
    if kernel is None:
        return recommender
    weights = recommender.first_stage
    if isinstance(weights, ItemWeights):
        weights = KernelWeights(others=weights.others, weights=weights.weights, kernel=kernel)
    return replace(recommender, first_stage=weights, best_of=partial(best_of, kernel))


def best_of(kernel: Kernel, scores: npt.NDArray[np.float64], top: int) -> Indices:
    """See `recommend.ranking.best_of`."""
    places = np.empty(min(top, len(scores)), np.int64)
    return places[: kernel.best(scores, places)]
