"""Learns first stages, and chooses their regularisation by choices that were left out.

EASE has in closed form the weights between items that best predict each item from all others. H. Steck,
"Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, https://arxiv.org/abs/1905.03375: with the Gram matrix
G of the users' choices and P = (G + lambda I)^-1, the weights are B_ij = -P_ij / P_jj, and 0 for i = j.

Factors are fitted by alternating least squares, on this machine with the library `implicit`:
https://benfred.github.io/implicit/api/models/cpu/als.html
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from recommend.arrays import Numbers, Scores
from recommend.first_stage import (
    CONFIDENCE,
    DIMENSIONS,
    FACTORS_NAME,
    MOST_FACTORED_ITEMS,
    MOST_WEIGHTED_ITEMS,
    SIMILARITIES_NAME,
    WEIGHTS_NAME,
    FirstStage,
    ItemFactors,
    ItemWeights,
)
from recommend.interactions import Interactions, Matrix
from recommend.metrics import Ranker, similarities

FITTED_SHARE = 0.9
"""Share of the training rows from which first stages are fitted while their regularisation is chosen by the others."""

Learned: TypeAlias = Callable[[Interactions], Ranker]
"""Learns from choices how to rank items for their users."""

Scorer: TypeAlias = Callable[[Matrix], Scores]
"""The scores of all items, float32[u, m], from what choices count in histories, [u, m]."""

REGULARISATIONS = (100.0, 200.0, 400.0, 800.0)
"""The values of lambda to choose from: with the best of them, NDCG changes little between neighbours."""
ROWS_TOGETHER = 1_000
"""Rows of weights that are handled at a time where a copy of all would be too large."""
FEW_ITEMS = 2_000
"""So few are one thread's work. Several threads spin while they wait for each other: beside a busy process, two took up
to 2 s of processor for 500 items, and one takes 0.03 s."""

FEW_BASKETS = 5.0
"""Baskets with one of two items that are added to what was seen: one common basket of two rare items says little."""
MOST_TOGETHER = 100

ITERATIONS = 15
ENOUGH = 1_000_000
"""Choices from which factors are fitted that do not serve: many fits decide how those that serve are fitted."""
SHARES = (0.35, 0.5, 0.7, 0.95)
"""The regularisations to choose from, in units of `noise`: factors have no part of what is not above it."""


class Learner(ABC):
    """Learns one kind of a first stage."""

    name: ClassVar[str]
    """What a report calls the kind."""
    most_items: ClassVar[int]
    """The most items that it can learn about."""
    regularisations: ClassVar[tuple[float, ...]]
    """The values to choose from, ascending."""

    @abstractmethod
    def fit(self, training: Interactions, regularisation: float) -> FirstStage:
        """The first stage to serve."""

    @abstractmethod
    def scorer(self, training: Interactions, regularisation: float) -> Scorer:
        """Scores items as the first stage would, or a little better: it need not be cut."""

    def ranker(self, training: Interactions, regularisation: float) -> Ranker:
        """Ranks items for the users of `training`."""
        chosen, scorer = training.matrix(), self.scorer(training, regularisation)
        return lambda users: scorer(chosen[users])


def ranker(first_stage: FirstStage, chosen: Matrix) -> Ranker:
    """Ranks items by a first stage, from all items that a user chose in `chosen`, [u, m]."""
    score = scorer(first_stage)
    return lambda users: score(chosen[users])


def scorer(first_stage: FirstStage) -> Scorer:
    """Scores items by a first stage."""

    def scores(histories: Matrix) -> Scores:
        rows = zip(histories.indptr, histories.indptr[1:], strict=False)
        each = [first_stage.scores(histories.indices[at:end], histories.data[at:end]) for at, end in rows]
        return np.array(each, np.float32).reshape(histories.shape)

    return scores


def item_weights(chosen: Matrix, regularisation: float) -> npt.NDArray[np.float64]:
    """The weights, float64[m, m], from `chosen`, a sparse matrix [u, m] of ones; row i is what item i adds to others.

    `regularisation` is the paper's lambda, above 0. Takes 8 bytes for each pair of items, and time that grows with the
    cube of the items: a minute for 10,000.
    """
    gram = _gram(chosen)
    gram[np.diag_indices_from(gram)] += regularisation
    # By Cholesky and in place, which takes a third of the time of `numpy.linalg.inv`, and of its memory.
    weights: npt.NDArray[np.float64]
    with threadpool_limits(1 if len(gram) <= FEW_ITEMS else None, user_api="blas"):
        factor, _ = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
        weights, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    for start in range(0, len(weights), ROWS_TOGETHER):
        own = slice(start, start + ROWS_TOGETHER)
        weights[own, own] = np.tril(weights[own, own]) + np.tril(weights[own, own], -1).T
        weights[own, own.stop :] = weights[own.stop :, own].T
    weights /= -weights.diagonal()
    weights[np.diag_indices_from(weights)] = 0
    return weights


def _gram(chosen: Matrix) -> npt.NDArray[np.float64]:
    """How many users chose both of two items, float64[m, m]. As a sparse matrix it would be larger than as an array."""
    by_item = chosen.T.tocsr()
    gram = np.empty((chosen.shape[1],) * 2)
    for start in range(0, len(gram), ROWS_TOGETHER):
        own = slice(start, start + ROWS_TOGETHER)
        gram[own] = (by_item[own] @ chosen).toarray()
    return gram


class Ease(Learner):
    """Learns `ItemWeights`."""

    name = WEIGHTS_NAME
    most_items = MOST_WEIGHTED_ITEMS
    regularisations: ClassVar[tuple[float, ...]] = REGULARISATIONS

    def fit(self, training: Interactions, regularisation: float) -> ItemWeights:
        """The largest weights of each item."""
        return ItemWeights.cut(self.weights(training, regularisation))

    def scorer(self, training: Interactions, regularisation: float) -> Scorer:
        """Scores items by the sum of all weights from all items that a user chose."""
        weights = self.weights(training, regularisation).astype(np.float32)
        return lambda histories: np.asarray(histories.astype(np.float32) @ weights)

    @staticmethod
    def weights(training: Interactions, regularisation: float) -> Numbers | Scores:
        """All weights, float[m, m]."""
        return item_weights(training.matrix(), regularisation)


class Sar(Ease):
    """Learns `ItemWeights` that are similarities; see `recommend.metrics.sar`."""

    name = SIMILARITIES_NAME
    regularisations = (0.0,)

    @staticmethod
    def weights(training: Interactions, _regularisation: float = 0.0) -> Numbers | Scores:
        """See `recommend.metrics.similarities`."""
        similar = similarities(training.matrix())
        similar[np.diag_indices_from(similar)] = 0
        return similar


def together(choices: Interactions) -> ItemWeights | None:
    """How much items were chosen in the same baskets; None where nothing is known of baskets, or of too many items."""
    rows = choices.strongest()
    if rows.baskets is None or not (rows.baskets >= 0).any() or choices.item_count > MOST_WEIGHTED_ITEMS:
        return None
    baskets = rows.baskets[rows.baskets >= 0]
    by_basket = replace(rows.only(rows.baskets >= 0), users=baskets, user_count=int(baskets.max()) + 1).matrix()
    parts = []
    for start in range(0, choices.item_count, ROWS_TOGETHER):
        similar = similarities(by_basket, FEW_BASKETS, slice(start, start + ROWS_TOGETHER))
        similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = 0
        parts.append(ItemWeights.cut(similar, MOST_TOGETHER))
    others, weights = (np.concatenate([getattr(part, name) for part in parts]) for name in ("others", "weights"))
    return ItemWeights(others=others, weights=weights)


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
class FactorLearner(Learner):
    """Learns `ItemFactors`. The same `seed` gives the same factors."""

    seed: int
    name = FACTORS_NAME
    most_items = MOST_FACTORED_ITEMS
    regularisations = SHARES

    @abstractmethod
    def fit(self, training: Interactions, regularisation: float) -> ItemFactors:
        """The factors of the items, with a regularisation of so many times the `noise`, since choices have weight."""

    def scorer(self, training: Interactions, regularisation: float) -> Scorer:
        """By factors from a sample of the users, which can score for all."""
        return scorer(self.fit(sample(training), regularisation))


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
