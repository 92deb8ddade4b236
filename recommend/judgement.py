"""Trains a recommender and judges it on held-out choices, beside popularity and SAR."""

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from recommend import splits
from recommend.arrays import Indices, Mask
from recommend.baselines import popularity, sar
from recommend.ease import FITTED_SHARE, best_regularisation, item_weights, ranker
from recommend.interactions import Interactions, Matrix
from recommend.metrics import Ranker, Ranking, evaluate
from recommend.recommender import Recommender
from recommend.weights import MOST_ITEMS, ItemWeights

FEWEST_USERS = 30
"""Users with held-out choices below which nothing can be judged."""
MOST_USERS = 5_000
"""Users that are judged at most: more would not change a decision."""
RESAMPLES = 1_000
RECOMMENDER, POPULARITY, SAR, BEST = "recommender", "popularity", "SAR", "best reachable"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A ranker's metrics at 10 on the held-out choices."""

    ndcg: float
    recall: float
    coverage: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a recommender may serve, with the reason in a sentence, and what it was judged by.

    `by_time` is whether the last quarter of each user's rows was held out, and not a random one. `items` are those that
    can be recommended. Without figures, there is no recommender.
    """

    accepted: bool
    reason: str
    by_time: bool = False
    users: int = 0
    items: int = 0
    regularisation: float = 0.0
    figures: dict[str, Figures] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Halves:
    """Choices to learn from, all that users had seen by then, and the later choices: of the same users and `items`.

    `missed`, int64[u], counts each user's later choices of items that are not among them.
    """

    items: Indices
    training: Interactions
    seen: Matrix
    test: Matrix
    missed: Indices


def judge(interactions: Interactions, chosen: Mask, seed: int, *, truth: Ranker | None = None) -> Judgement:
    """Judge a recommender that learns from the `chosen` interactions, bool[n]: from three quarters of each user's rows.

    All of those rows count as seen. A later choice of something seen is no test, since it would not be recommended.
    `truth` ranks all items in the best order that there is, where that is known.
    """
    by_time = interactions.times is not None
    first = splits.by_time(interactions) if by_time else splits.by_user(interactions, seed)
    halves = _halves(interactions, chosen, first)
    asked = np.flatnonzero((np.diff(halves.test.indptr) + halves.missed) > 0)
    if len(asked) < FEWEST_USERS or len(halves.training) == 0:
        return Judgement(
            accepted=False,
            reason=f"There is no recommender: {len(asked)} users chose anything new in the last quarter of their rows, "
            f"and it takes {FEWEST_USERS} to judge one.",
        )
    users = np.sort(np.random.default_rng(seed).permutation(asked)[:MOST_USERS])
    training = halves.training
    fitted = splits.by_time(training, FITTED_SHARE) if by_time else splits.by_user(training, seed, FITTED_SHARE)
    regularisation = best_regularisation(training, fitted, users)
    weights = ItemWeights.cut(item_weights(training.matrix(), regularisation))
    rankers = {RECOMMENDER: ranker(weights, training.matrix()), POPULARITY: popularity(training), SAR: sar(training)}
    if truth is not None:
        rankers[BEST] = lambda users: truth(users)[:, halves.items]
    found = {name: evaluate(one, halves.seen, halves.test, users, halves.missed) for name, one in rankers.items()}
    accepted, reason = _verdict(found[RECOMMENDER], found[POPULARITY], seed)
    return Judgement(
        accepted=accepted,
        reason=reason,
        by_time=by_time,
        users=len(users),
        items=training.item_count,
        regularisation=regularisation,
        figures={name: Figures(ndcg=one.ndcg, recall=one.recall, coverage=one.coverage) for name, one in found.items()},
    )


def fit(interactions: Interactions, chosen: Mask, keys: list[str], regularisation: float) -> Recommender:
    """A recommender from all `chosen` interactions, bool[n], of items with these keys."""
    rows = interactions.only(chosen)
    items = most_chosen(rows)
    weights = ItemWeights.cut(item_weights(rows.of_items(items).matrix(), regularisation))
    return Recommender(items=[keys[item] for item in items], weights=weights)


def most_chosen(rows: Interactions) -> Indices:
    """The items that can have weights, the most often chosen first and of equal ones the lower number."""
    counts = np.bincount(rows.items, minlength=rows.item_count)
    order = np.argsort(-counts, kind="stable")[:MOST_ITEMS]
    kept: Indices = order[counts[order] > 0]
    return kept


def interval(differences: npt.NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of `differences`, float64[u], with one value for each user."""
    chance = np.random.default_rng(seed)
    means = [differences[chance.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _halves(interactions: Interactions, chosen: Mask, first: Mask) -> _Halves:
    items = most_chosen(interactions.only(first & chosen))
    known = np.isin(interactions.items, items)
    before, later = interactions.only(first & known), interactions.only(~first & chosen & known)
    seen, test = before.of_items(items).matrix(), later.of_items(items).matrix()
    test = test - test.multiply(seen)
    test.eliminate_zeros()
    missed = interactions.only(~first & chosen & ~known).matrix()
    return _Halves(
        items=items,
        training=interactions.only(first & chosen).of_items(items),
        seen=seen,
        test=test,
        missed=np.diff(missed.indptr).astype(np.int64),
    )


def _verdict(ours: Ranking, popular: Ranking, seed: int) -> tuple[bool, str]:
    low, high = interval(ours.ndcg_of_users - popular.ndcg_of_users, seed)
    accepted = high >= 0
    outcome = "" if accepted else ", so it does not serve"
    return accepted, (
        f"NDCG@10 {ours.ndcg:.4f} is {abs(ours.ndcg - popular.ndcg):.4f} "
        f"{'higher' if ours.ndcg >= popular.ndcg else 'lower'} than that of the most popular items "
        f"({popular.ndcg:.4f}; 95 % interval over users {low:+.4f} to {high:+.4f}){outcome}."
    )
