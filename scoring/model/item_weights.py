"""Weights between items, summed and searched by the kernel in C."""

from dataclasses import dataclass, replace

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
    """The recommender, its weights summed by the kernel if there are weights and a kernel."""
    weights = recommender.first_stage
    if kernel is None or not isinstance(weights, ItemWeights):
        return recommender
    own = KernelWeights(others=weights.others, weights=weights.weights, kernel=kernel)
    return replace(recommender, first_stage=own)
