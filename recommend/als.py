"""Learns factors of items by alternating least squares, on this machine with the library `implicit`.

https://benfred.github.io/implicit/api/models/cpu/als.html
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import sqrt

import numpy as np
from threadpoolctl import threadpool_limits

from recommend.factors import CONFIDENCE, DIMENSIONS, MOST_ITEMS, NAME, ItemFactors
from recommend.interactions import Interactions
from recommend.learning import ranker
from recommend.metrics import Ranker

ITERATIONS = 15
ENOUGH = 1_000_000
"""Choices from which factors are fitted that do not serve: many fits decide how those that serve are fitted."""
SHARES = (0.35, 0.5, 0.7, 0.95)
"""The regularisations to choose from, in units of `noise`: factors have no part of what is not above it."""


def noise(training: Interactions) -> float:
    """About the largest singular value of a matrix with as many choices at random: the sum of the roots of the choices
    for each item and for each user.
    """
    return sum(sqrt(len(training) / len(np.unique(numbers))) for numbers in (training.items, training.users))


def sample(training: Interactions) -> Interactions:
    """All choices of as many users as have about `ENOUGH`, the same ones each time."""
    drawn = np.random.default_rng(0).random(training.user_count) < ENOUGH / max(len(training), 1)
    return training.only(drawn[training.users])


@dataclass(frozen=True, kw_only=True)
class FactorLearner(ABC):
    """Learns `ItemFactors`; see `recommend.learning.Learner`. The same `seed` gives the same factors."""

    seed: int
    name = NAME
    most_items = MOST_ITEMS
    regularisations = SHARES

    @abstractmethod
    def fit(self, training: Interactions, regularisation: float) -> ItemFactors:
        """The factors of the items, with a regularisation of so many times the `noise`, since choices have weight."""

    def ranker(self, training: Interactions, regularisation: float) -> Ranker:
        """By factors from a sample of the users, which can rank for all."""
        return ranker(self.fit(sample(training), regularisation), training.matrix())


class AlternatingLeastSquares(FactorLearner):
    """By the library `implicit`, in this process."""

    def fit(self, training: Interactions, regularisation: float) -> ItemFactors:
        """See `FactorLearner`."""
        from implicit.cpu.als import AlternatingLeastSquares as Implicit  # noqa: PLC0415 - only engine local needs it

        weight = CONFIDENCE * noise(training) * regularisation
        with threadpool_limits(1, user_api="blas"):  # the library has threads of its own
            model = Implicit(
                factors=DIMENSIONS,
                regularization=weight,
                alpha=CONFIDENCE,
                iterations=ITERATIONS,
                random_state=self.seed,
            )
            model.fit(training.matrix().astype(np.float32), show_progress=False)
        return ItemFactors.rounded(model.item_factors, weight)
