"""Learns first stages: weights between items.

EASE has in closed form the weights between items that best predict each item from all others. H. Steck,
"Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, https://arxiv.org/abs/1905.03375: with the Gram matrix
G of the users' choices and P = (G + lambda I)^-1, the weights are B_ij = -P_ij / P_jj, and 0 for i = j.

Of very many items, they are from each one's nearest: see `recommend.nearest`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from recommend.arrays import Scores
from recommend.first_stage import ItemWeights
from recommend.interactions import Interactions, Matrix
from recommend.metrics import Ranker
from recommend.nearest import Setting, as_matrix, counts_of, has_all_pairs, paired, ridge, similar

FITTED_SHARE = 0.9
"""Share of the training rows from which first stages are fitted while their regularisation is chosen by the others."""

Learned: TypeAlias = Callable[[Interactions], Ranker]
"""Learns from choices how to rank items for their users."""

Scorer: TypeAlias = Callable[[Matrix], Scores]
"""The scores of all items, float32[u, m], from what choices count in histories, [u, m]."""

REGULARISATIONS = {0.0: (30.0, 100.0, 200.0, 400.0, 1_000.0), 0.75: (3.0, 10.0, 30.0, 100.0)}
"""The values of lambda to choose from, by the exponent of the choices that it grows with."""
NEAREST, MOST_PRODUCTS = (50, 100, 200), 1e9
"""How many nearest items to choose from, if the squares of them for all items are not more; the first one always."""
ROWS_TOGETHER = 1_000
"""Rows of weights that are handled at a time where a copy of all would be too large."""
FEW_ITEMS = 2_000
"""So few are one thread's work. Several threads spin while they wait for each other: beside a busy process, two took up
to 2 s of processor for 500 items, and one takes 0.03 s."""

FEW_BASKETS = 5.0
"""Baskets with one of two items that are added to what was seen: one common basket of two rare items says little."""
MOST_TOGETHER = 100


class Learner(ABC):
    """Learns a first stage."""

    name: ClassVar[str]
    """What a report calls the kind."""

    @abstractmethod
    def settings(self, items: int, best: Setting | None = None) -> list[Setting]:
        """What to choose from for so many items, or further ones beside the best of these; the default is second."""

    @abstractmethod
    def weights(self, training: Interactions, settings: Sequence[Setting]) -> Iterable[ItemWeights]:
        """What is learned by each of the settings."""

    def fit(self, training: Interactions, setting: Setting) -> ItemWeights:
        """The first stage to serve."""
        (found,) = self.weights(training, [setting])
        return found

    def ranker(self, training: Interactions, setting: Setting) -> Ranker:
        """Ranks items for the users of `training`."""
        return ranker(self.fit(training, setting), training.matrix())


def ranker(first_stage: ItemWeights, chosen: Matrix) -> Ranker:
    """Ranks items by a first stage, from all items that a user chose in `chosen`, [u, m]."""
    score = scorer(first_stage)
    return lambda users: score(chosen[users])


def scorer(first_stage: ItemWeights) -> Scorer:
    """Scores items by a first stage."""
    weights = as_matrix(first_stage)
    return lambda histories: (histories.astype(np.float32) @ weights).toarray()


def item_weights(chosen: Matrix, setting: Setting) -> npt.NDArray[np.float64]:
    """The weights, float64[m, m], from `chosen`, a sparse matrix [u, m]; row i is what item i adds to others.

    Takes 8 bytes for each pair of items, and time that grows with the cube of the items: a minute for 10,000.
    """
    gram = _gram(chosen)
    gram[np.diag_indices_from(gram)] += setting.penalties(counts_of(chosen))
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
    """Learns what predicts each item best from others: from all, or from its nearest ones where there are too many."""

    name = "weights between items"

    def settings(self, items: int, best: Setting | None = None) -> list[Setting]:
        """All strengths with the fewest nearest items, and then the best of them with more."""
        nearest = [one for one in NEAREST if one == NEAREST[0] or one**2 * items <= MOST_PRODUCTS]
        if has_all_pairs(items):
            nearest = [0]
        if best is not None:
            return [best._replace(nearest=one) for one in nearest[1:]]
        return [Setting(one, scaling, nearest[0]) for scaling, each in REGULARISATIONS.items() for one in each]

    def weights(self, training: Interactions, settings: Sequence[Setting]) -> Iterator[ItemWeights]:
        """See `Learner`."""
        chosen = paired(training)
        if not has_all_pairs(training.item_count):
            return ridge(chosen, settings)
        return (ItemWeights.cut(item_weights(chosen, one)) for one in settings)


class Sar(Learner):
    """Learns similarities of items; see `recommend.metrics.sar`."""

    name = "similarities of items"

    def settings(self, items: int, best: Setting | None = None) -> list[Setting]:  # noqa: ARG002 - as of a learner
        """There is one."""
        return [] if best else [Setting(0.0)]

    def weights(self, training: Interactions, settings: Sequence[Setting]) -> list[ItemWeights]:
        """See `Learner`."""
        return [similar(paired(training)) for _ in settings]


def together(choices: Interactions) -> ItemWeights | None:
    """How much items were chosen in the same baskets; None where nothing is known of baskets."""
    rows = choices.strongest()
    if rows.baskets is None or not (rows.baskets >= 0).any():
        return None
    baskets = rows.baskets[rows.baskets >= 0]
    by_basket = replace(rows.only(rows.baskets >= 0), users=baskets, user_count=int(baskets.max()) + 1)
    return similar(by_basket.matrix(), MOST_TOGETHER, FEW_BASKETS)
