"""Ranking metrics at 10 over users with test items, with binary relevance.

As the recommenders project defines them: NDCG has gains of 1 and discounts of log2(rank + 1), relative to the best
order of a user's test items; precision divides by 10 and recall by the user's test items. Coverage is the share of all
items that are recommended to anybody.
https://github.com/recommenders-team/recommenders/blob/main/recommenders/evaluation/python_evaluation.py
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices, Mask, Scores
from recommend.interactions import Interactions, Matrix
from recommend.nearest import as_matrix, paired, similar
from recommend.ranking import best_of

K = 10
SCORES_TOGETHER = 4_000_000
"""Scores in memory at a time."""

Ranker = Callable[[Indices], Scores]
"""The scores of all m items for the users with these numbers, float32[u, m]."""

HALF_LIFE_DAYS = 30
MOST_SIMILAR = 2_000
"""Items that add to each other's score by SAR: on MovieLens-100k, all."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Metrics at 10: means over the users with test items. `ndcg_of_users`, float64[u], has one value for each,
    `found_by_users`, bool[u], says who is recommended a relevant item, and `shown`, int64[m], counts how often each
    item was recommended.
    """

    ndcg: float
    precision: float
    recall: float
    coverage: float
    ndcg_of_users: npt.NDArray[np.float64]
    found_by_users: Mask
    shown: Indices


def top_items(scores: Scores, seen: Matrix, k: int = K) -> Indices:
    """The best `k` items of each user, int64[u, k], by `scores`, float32[u, m]; -1 where there are fewer.

    Items that are not zero in `seen`, a sparse matrix [u, m], are left out. Of items with equal scores the lower number
    comes first.
    """
    possible = np.where(seen.toarray() != 0, -np.inf, scores)
    best = np.full((len(possible), k), -1)
    for places, own in zip(best, possible, strict=True):
        found = best_of(own, k)
        places[: len(found)] = found
    return best


def evaluate(
    ranker: Ranker, seen: Matrix, test: Matrix, users: Indices | None = None, missed: Indices | None = None
) -> Ranking:
    """The metrics of a ranker's best items that are not in `seen`, if those in `test` are the relevant ones.

    Both are sparse matrices [u, m], zero where a user did not choose an item. Only `users` are asked, or all of them;
    at least one must have relevant items. `missed`, int64[u], counts further relevant items, which are none of the m.
    """
    asked = np.arange(test.shape[0]) if users is None else users
    others = np.zeros(test.shape[0], np.int64) if missed is None else missed
    asked = asked[(np.diff(test.indptr) + others)[asked] > 0]
    ndcg, hits, counts, shown = [], [], [], np.zeros(test.shape[1], np.int64)
    together = max(1, SCORES_TOGETHER // test.shape[1])
    for start in range(0, len(asked), together):
        block = asked[start : start + together]
        best = top_items(ranker(block), seen[block])
        relevant = test[block].toarray() != 0
        hit = np.take_along_axis(relevant, np.maximum(best, 0), axis=1) & (best >= 0)
        counts.append(relevant.sum(axis=1) + others[block])
        hits.append(hit.sum(axis=1))
        ndcg.append(ndcg_of(hit, counts[-1]))
        shown += np.bincount(best[best >= 0], minlength=len(shown))
    found, relevant_items, of_users = np.concatenate(hits), np.concatenate(counts), np.concatenate(ndcg)
    return Ranking(
        ndcg=float(of_users.mean()),
        precision=float(found.mean() / K),
        recall=float((found / relevant_items).mean()),
        coverage=float((shown > 0).mean()),
        ndcg_of_users=of_users,
        found_by_users=found > 0,
        shown=shown,
    )


def ndcg_of(hit: npt.NDArray[np.bool_], relevant: Indices) -> npt.NDArray[np.float64]:
    """The NDCG of each user, float64[u], with a hit at some ranks, bool[u, k], and so many relevant items, int64[u]."""
    discounts = 1 / np.log2(np.arange(2, K + 2))
    best = np.cumsum(discounts)[np.minimum(relevant, K) - 1]
    values: npt.NDArray[np.float64] = (hit * discounts[: hit.shape[1]]).sum(axis=1) / best
    return values


def listed(ranker: Ranker, choices: Interactions) -> Ranker:
    """Ranks the items that may be recommended alone."""
    if (may_be := choices.listed) is None:
        return ranker
    return lambda users: np.where(may_be, ranker(users), np.float32(-np.inf))


def popularity(training: Interactions, half_life: float = 0.0) -> Ranker:
    """Ranks items by their interactions, the same for everybody; see `Interactions.recent` for the `half_life`."""
    counts = training.recent(half_life).astype(np.float32)
    return lambda users: np.broadcast_to(counts, (len(users), len(counts)))


def most_own(training: Interactions, histories: Interactions | None = None) -> Ranker:
    """Ranks items by how often a user chose them, in their `histories` or else the `training` rows; of equal ones the
    most chosen by all comes first.
    """
    own = training if histories is None else histories
    counts = own.matrix(own.strengths)
    others = training.recent()
    ties = others / (2 * max(others.max(initial=0), 1)) * own.strengths.min(initial=1.0)
    return lambda users: np.asarray(counts[users] + ties, dtype=np.float32)


def sar(training: Interactions, histories: Interactions | None = None) -> Ranker:
    """Ranks items by SAR: a user's affinity for items, by their `histories` or else the `training` rows, times their
    similarity to others.

    Affinity is the rating, halved for every 30 days until the last interaction; without times it is the rating. The
    similarity of two items is the Jaccard index of the sets of users who chose them.
    https://github.com/recommenders-team/recommenders/blob/main/examples/02_model_collaborative_filtering/sar_deep_dive.ipynb
    """
    own = training if histories is None else histories
    affinity = own.matrix(own.values * np.exp2(-own.ages / HALF_LIFE_DAYS))
    similarity = as_matrix(similar(paired(training), MOST_SIMILAR))

    def scores(users: Indices) -> Scores:
        # Each item is as similar to itself as can be.
        return np.asarray((affinity[users] + affinity[users] @ similarity).toarray(), dtype=np.float32)

    return scores
