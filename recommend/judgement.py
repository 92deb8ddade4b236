"""Trains a recommender and judges it on held-out choices, beside popularity and SAR."""

from typing import Protocol, Self

import msgspec
import numpy as np
import numpy.typing as npt

from recommend import splits
from recommend.arrays import Indices, Mask
from recommend.baselines import popularity, sar
from recommend.ease import FITTED_SHARE, best_regularisation, item_weights, ranker
from recommend.held_out import Halves, divide, halves, most_chosen
from recommend.interactions import Interactions, Matrix
from recommend.metrics import Ranker, Ranking, evaluate
from recommend.ranking import CandidateRanking
from recommend.recommender import Recommender
from recommend.weights import ItemWeights

FEWEST_USERS = 30
"""Users with held-out choices below which nothing can be judged."""
MOST_USERS = 5_000
"""Users that are judged at most: more would not change a decision."""
RESAMPLES = 1_000
RECOMMENDER, FIRST_STAGE, POPULARITY = "recommender", "first stage alone", "popularity"
SAR, BEST = "SAR", "best reachable"


class SecondStage(Protocol):
    """Learns to rank candidates."""

    @property
    def repeats(self) -> bool:
        """Whether a user's own items are candidates."""
        ...

    def fit(
        self, rows: Interactions, chosen: Mask, regularisation: float, items: Indices, weight: float | None = None, /
    ) -> CandidateRanking | None:
        """A ranking from interactions, of which those in `chosen`, bool[n], are choices, with the `items` int64[m].

        Without a `weight` it is chosen. None if it gains nothing.
        """
        ...

    def ranker(self, ranking: CandidateRanking, first_stage: Ranker, known: Interactions, seen: Matrix, /) -> Ranker:
        """Ranks the candidates that a first stage offers to users who chose what is `known`, except what they have
        `seen`, [u, m]; all other items are -inf.
        """
        ...


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A ranker's metrics at 10 on the held-out choices. `popular` is the share of recommendations that are among the
    most chosen tenth of the items.
    """

    ndcg: float
    recall: float
    coverage: float
    popular: float

    @classmethod
    def of(cls, ranking: Ranking) -> Self:
        """The metrics of a ranking of items that are numbered by their popularity."""
        most = -(-len(ranking.shown) // 10)
        popular = float(ranking.shown[:most].sum() / max(ranking.shown.sum(), 1))
        return cls(ndcg=ranking.ndcg, recall=ranking.recall, coverage=ranking.coverage, popular=popular)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a recommender may serve, with the reason in a sentence, and what it was judged by.

    `by_time` is whether the last quarter of the rows was held out, and not a random one: of all rows if `by_moment`,
    else of each user's. `items` are those that can be recommended. `figures_of_new` are about users of whom nothing was
    learned. With `repeats`, what users chose was recommended to them again. With a `ranking_weight` of 0 there is no
    second stage. Without figures, there is no recommender.
    """

    accepted: bool
    reason: str
    by_time: bool = False
    by_moment: bool = False
    repeats: bool = False
    users: int = 0
    new_users: int = 0
    items: int = 0
    regularisation: float = 0.0
    ranking_weight: float = 0.0
    figures: dict[str, Figures] = msgspec.field(default_factory=dict)
    figures_of_new: dict[str, Figures] = msgspec.field(default_factory=dict)


def judge(
    interactions: Interactions, chosen: Mask, seed: int, second_stage: SecondStage, *, truth: Ranker | None = None
) -> Judgement:
    """Judge a recommender that learns from three quarters of the `chosen` interactions, bool[n]; see `held_out.divide`.

    All of those rows count as seen, unless users' own items are candidates. The verdict is about users whom it has met.
    `truth` ranks all items in the best order that there is, where that is known. The order of the rows does not matter.
    """
    interactions, chosen = _in_order(interactions, chosen)
    by_time, division = interactions.times is not None, divide(interactions, chosen, seed)
    parts = halves(interactions, chosen, division, repeats=second_stage.repeats)
    asked, new = (np.sort(np.random.default_rng(seed).permutation(users)[:MOST_USERS]) for users in parts.asked)
    training = parts.training
    if len(asked) < FEWEST_USERS or len(training) == 0:
        return _too_few(len(asked))
    fitted = splits.by_time(training, FITTED_SHARE) if by_time else splits.by_user(training, seed, FITTED_SHARE)
    regularisation = best_regularisation(training, fitted, asked)
    ranking = second_stage.fit(parts.before, parts.chosen, regularisation, parts.items)
    rankers = _rankers(parts, regularisation, second_stage, ranking)
    if truth is not None:
        rankers[BEST] = lambda users: truth(users)[:, parts.items]
    found, of_new = (_measured(rankers, parts, users) for users in (asked, new))
    accepted, reason = _verdict(found[RECOMMENDER], found[POPULARITY], seed)
    return Judgement(
        accepted=accepted,
        reason=reason,
        by_time=by_time,
        by_moment=division.by_moment,
        repeats=second_stage.repeats,
        users=len(asked),
        new_users=len(new),
        items=training.item_count,
        regularisation=regularisation,
        ranking_weight=0.0 if ranking is None else ranking.weight,
        figures={name: Figures.of(one) for name, one in found.items()},
        figures_of_new={name: Figures.of(one) for name, one in of_new.items()},
    )


def _rankers(
    parts: Halves, regularisation: float, second_stage: SecondStage, ranking: CandidateRanking | None
) -> dict[str, Ranker]:
    """What is compared, the recommender first."""
    training = parts.training
    weights = ItemWeights.cut(item_weights(training.matrix(), regularisation))
    first_stage = ranker(weights, parts.histories.matrix())
    others = {POPULARITY: popularity(training), SAR: sar(training, parts.histories)}
    if ranking is None:
        return {RECOMMENDER: first_stage, **others}
    both = second_stage.ranker(ranking, first_stage, parts.histories, parts.seen)
    return {RECOMMENDER: both, **others, FIRST_STAGE: first_stage}


def _measured(rankers: dict[str, Ranker], parts: Halves, users: Indices) -> dict[str, Ranking]:
    """Each ranker's metrics for these users, none if they are too few."""
    if len(users) < FEWEST_USERS:
        return {}
    return {name: evaluate(one, parts.seen, parts.test, users, parts.missed) for name, one in rankers.items()}


def _too_few(users: int) -> Judgement:
    return Judgement(
        accepted=False,
        reason=f"There is no recommender: {users} users chose anything new in the rows that were held out, "
        f"and it takes {FEWEST_USERS} to judge one.",
    )


def fit(
    interactions: Interactions, chosen: Mask, keys: list[str], judgement: Judgement, second_stage: SecondStage
) -> Recommender:
    """A recommender from all `chosen` interactions, bool[n], of items with these keys, as `judgement` chose it."""
    interactions, chosen = _in_order(interactions, chosen)
    items = most_chosen(interactions.only(chosen))
    own = np.isin(interactions.items, items)
    rows, liked, regularisation = interactions.only(own).of_items(items), chosen[own], judgement.regularisation
    weights = ItemWeights.cut(item_weights(rows.only(liked).matrix(), regularisation))
    weight = judgement.ranking_weight
    ranking = second_stage.fit(rows, liked, regularisation, items, weight) if weight > 0 else None
    return Recommender(
        items=[keys[item] for item in items], weights=weights, ranking=ranking, repeats=second_stage.repeats
    )


def _in_order(interactions: Interactions, chosen: Mask) -> tuple[Interactions, Mask]:
    order = interactions.order(chosen)
    return interactions.only(order), chosen[order]


def interval(differences: npt.NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of `differences`, float64[u], with one value for each user."""
    chance = np.random.default_rng(seed)
    means = [differences[chance.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _verdict(ours: Ranking, popular: Ranking, seed: int) -> tuple[bool, str]:
    low, high = interval(ours.ndcg_of_users - popular.ndcg_of_users, seed)
    accepted = high >= 0
    outcome = "" if accepted else ", so it does not serve"
    return accepted, (
        f"NDCG@10 {ours.ndcg:.4f} is {abs(ours.ndcg - popular.ndcg):.4f} "
        f"{'higher' if ours.ndcg >= popular.ndcg else 'lower'} than that of the most popular items "
        f"({popular.ndcg:.4f}; 95 % interval over users {low:+.4f} to {high:+.4f}){outcome}."
    )
