"""Trains a recommender and judges it on held-out choices, beside popularity and SAR."""

from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from recommend import splits
from recommend.arrays import Indices, Mask
from recommend.baselines import popularity, sar
from recommend.ease import FITTED_SHARE, best_regularisation, item_weights, ranker
from recommend.interactions import Interactions, Matrix
from recommend.metrics import Ranker, Ranking, evaluate
from recommend.ranking import CandidateRanking
from recommend.recommender import Recommender
from recommend.weights import MOST_ITEMS, ItemWeights

FEWEST_USERS = 30
"""Users with held-out choices below which nothing can be judged."""
MOST_USERS = 5_000
"""Users that are judged at most: more would not change a decision."""
RESAMPLES = 1_000
RECOMMENDER, FIRST_STAGE, POPULARITY = "recommender", "first stage alone", "popularity"
SAR, BEST = "SAR", "best reachable"


class SecondStage(Protocol):
    """Learns to rank candidates."""

    def fit(
        self, rows: Interactions, chosen: Mask, regularisation: float, items: Indices, weight: float | None = None, /
    ) -> CandidateRanking | None:
        """A ranking from interactions, of which those in `chosen`, bool[n], are choices, with the `items` int64[m].

        Without a `weight` it is chosen. None if it gains nothing.
        """
        ...

    def ranker(self, ranking: CandidateRanking, first_stage: Ranker, known: Matrix, seen: Matrix, /) -> Ranker:
        """Ranks the candidates that a first stage offers to users with the histories `known`, [u, m], except what they
        have `seen`, [u, m]; all other items are -inf.
        """
        ...


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A ranker's metrics at 10 on the held-out choices."""

    ndcg: float
    recall: float
    coverage: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a recommender may serve, with the reason in a sentence, and what it was judged by.

    `by_time` is whether the last quarter of each user's rows was held out, and not a random one. `items` are those that
    can be recommended. With a `ranking_weight` of 0 there is no second stage. Without figures, there is no recommender.
    """

    accepted: bool
    reason: str
    by_time: bool = False
    users: int = 0
    items: int = 0
    regularisation: float = 0.0
    ranking_weight: float = 0.0
    figures: dict[str, Figures] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Halves:
    """All that users had seen `before`, the `chosen` ones to learn from, bool[n], and the later choices: of the same
    users and of these `items`, int64[m].

    `missed`, int64[u], counts each user's later choices of other items.
    """

    before: Interactions
    chosen: Mask
    items: Indices
    seen: Matrix
    test: Matrix
    missed: Indices

    @property
    def training(self) -> Interactions:
        """The choices to learn from."""
        return self.before.only(self.chosen)


def judge(
    interactions: Interactions, chosen: Mask, seed: int, second_stage: SecondStage, *, truth: Ranker | None = None
) -> Judgement:
    """Judge a recommender that learns from the `chosen` interactions, bool[n]: from three quarters of each user's rows.

    All of those rows count as seen. A later choice of something seen is no test, since it would not be recommended.
    `truth` ranks all items in the best order that there is, where that is known.
    """
    by_time = interactions.times is not None
    first = splits.by_time(interactions) if by_time else splits.by_user(interactions, seed)
    halves = _halves(interactions, chosen, first)
    asked = np.flatnonzero((np.diff(halves.test.indptr) + halves.missed) > 0)
    training = halves.training
    if len(asked) < FEWEST_USERS or len(training) == 0:
        return _too_few(len(asked))
    users = np.sort(np.random.default_rng(seed).permutation(asked)[:MOST_USERS])
    fitted = splits.by_time(training, FITTED_SHARE) if by_time else splits.by_user(training, seed, FITTED_SHARE)
    regularisation = best_regularisation(training, fitted, users)
    known = training.matrix()
    first_stage = ranker(ItemWeights.cut(item_weights(known, regularisation)), known)
    ranking = second_stage.fit(halves.before, halves.chosen, regularisation, halves.items)
    rankers = {RECOMMENDER: first_stage, POPULARITY: popularity(training), SAR: sar(training)}
    if ranking is not None:
        both = second_stage.ranker(ranking, first_stage, known, halves.seen)
        rankers = {**rankers, RECOMMENDER: both, FIRST_STAGE: first_stage}
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
        ranking_weight=0.0 if ranking is None else ranking.weight,
        figures={name: Figures(ndcg=one.ndcg, recall=one.recall, coverage=one.coverage) for name, one in found.items()},
    )


def _too_few(users: int) -> Judgement:
    return Judgement(
        accepted=False,
        reason=f"There is no recommender: {users} users chose anything new in the last quarter of their rows, "
        f"and it takes {FEWEST_USERS} to judge one.",
    )


def fit(
    interactions: Interactions, chosen: Mask, keys: list[str], judgement: Judgement, second_stage: SecondStage
) -> Recommender:
    """A recommender from all `chosen` interactions, bool[n], of items with these keys, as `judgement` chose it."""
    items = most_chosen(interactions.only(chosen))
    own = np.isin(interactions.items, items)
    rows, liked, regularisation = interactions.only(own).of_items(items), chosen[own], judgement.regularisation
    weights = ItemWeights.cut(item_weights(rows.only(liked).matrix(), regularisation))
    weight = judgement.ranking_weight
    ranking = second_stage.fit(rows, liked, regularisation, items, weight) if weight > 0 else None
    return Recommender(items=[keys[item] for item in items], weights=weights, ranking=ranking)


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
    before, later = interactions.only(first & known).of_items(items), interactions.only(~first & chosen & known)
    seen, test = before.matrix(), later.of_items(items).matrix()
    test = test - test.multiply(seen)
    test.eliminate_zeros()
    missed = interactions.only(~first & chosen & ~known).matrix()
    return _Halves(
        before=before,
        chosen=chosen[first & known],
        items=items,
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
