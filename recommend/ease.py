"""EASE: the weights between items that best predict each item from all others, in closed form.

H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, https://arxiv.org/abs/1905.03375: with the
Gram matrix G of the users' choices and P = (G + lambda I)^-1, the weights are B_ij = -P_ij / P_jj, and 0 for i = j.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from recommend.arrays import Indices, Scores
from recommend.interactions import Interactions, Matrix
from recommend.metrics import Ranker
from recommend.weights import MOST_ITEMS, NAME, ItemWeights

REGULARISATIONS = (100.0, 200.0, 400.0, 800.0)
"""The values of lambda to choose from: with the best of them, NDCG changes little between neighbours."""
ROWS_TOGETHER = 1_000
"""Rows of weights that are handled at a time where a copy of all would be too large."""
FEW_ITEMS = 2_000
"""So few are one thread's work. Several threads spin while they wait for each other: beside a busy process, two took up
to 2 s of processor for 500 items, and one takes 0.03 s."""


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


def ease(training: Interactions, regularisation: float) -> Ranker:
    """Ranks items by the sum of the weights from all items that a user chose."""
    chosen = training.matrix()
    weights = item_weights(chosen, regularisation).astype(np.float32)

    def scores(users: Indices) -> Scores:
        return np.asarray(chosen[users].astype(np.float32) @ weights)

    return scores


@dataclass(frozen=True)
class Ease:
    """Learns `ItemWeights`; see `recommend.learning.Learner`."""

    name = NAME
    most_items = MOST_ITEMS
    regularisations = REGULARISATIONS

    def fit(self, training: Interactions, regularisation: float) -> ItemWeights:
        """The largest weights of each item."""
        return ItemWeights.cut(item_weights(training.matrix(), regularisation))

    def ranker(self, training: Interactions, regularisation: float) -> Ranker:
        """By all weights."""
        return ease(training, regularisation)
