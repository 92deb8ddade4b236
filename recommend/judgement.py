"""Trains a recommender and judges it on held-out choices, beside popularity and SAR."""

from typing import Protocol, Self

import msgspec
import numpy as np
import numpy.typing as npt

from recommend import splits
from recommend.arrays import Indices, Mask
from recommend.first_stage import MOST_WEIGHTED_ITEMS
from recommend.interactions import Interactions, Matrix
from recommend.learning import FITTED_SHARE, Learned, Learner, choose, ranker
from recommend.metrics import Ranker, Ranking, evaluate, popularity, sar
from recommend.ranking import CandidateRanking
from recommend.recommender import Recommender
from recommend.splits import Halves, divide, halves, most_chosen

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
        self, choices: Interactions, learned: Learned, items: Indices, weight: float | None = None, /
    ) -> CandidateRanking | None:
        """A ranking from choices of the `items`, int64[m].

        Candidates are those of a first stage that is `learned` from other choices. Without a `weight` it is chosen.
        None if it gains nothing.
        """
        ...

    def ranker(self, ranking: CandidateRanking, first_stage: Ranker, known: Interactions, had: Matrix, /) -> Ranker:
        """Ranks the candidates that a first stage offers to users who chose what is `known`, except what they `had`,
        [u, m]; all other items are -inf.
        """
        ...


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A ranker's metrics at 10 on the held-out choices. `found` is the share of users who are recommended something
    that they chose later, `popular` that of recommendations that are among the most chosen tenth of the items.
    """

    found: float
    ndcg: float
    recall: float
    coverage: float
    popular: float

    @classmethod
    def of(cls, ranking: Ranking) -> Self:
        """The metrics of a ranking of items that are numbered by their popularity."""
        most = -(-len(ranking.shown) // 10)
        popular = float(ranking.shown[:most].sum() / max(ranking.shown.sum(), 1))
        found = float(ranking.found_by_users.mean())
        return cls(found=found, ndcg=ranking.ndcg, recall=ranking.recall, coverage=ranking.coverage, popular=popular)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a recommender may serve, with the reason in a sentence, and what it was judged by.

    `by_time` is whether the last quarter of the rows was held out, and not a random one: of all rows if `by_moment`,
    else of each user's. `items` are those that can be recommended. `figures_of_new` are about users of whom nothing was
    learned. With `repeats`, what users chose was recommended to them again. `first_stage` is its kind. With a
    `ranking_weight` of 0 there is no second stage. Without figures, there is no recommender.
    """

    accepted: bool
    reason: str
    by_time: bool = False
    by_moment: bool = False
    repeats: bool = False
    users: int = 0
    new_users: int = 0
    found_more: tuple[float, float] | None = None
    """The 95 % interval of the share of users by which more find something here than among the most popular items."""
    items: int = 0
    first_stage: str = ""
    regularisation: float = 0.0
    ranking_weight: float = 0.0
    figures: dict[str, Figures] = msgspec.field(default_factory=dict)
    figures_of_new: dict[str, Figures] = msgspec.field(default_factory=dict)

    def scalars(self) -> dict[str, float]:
        """NDCG@10 and recall@10 of the recommender and of popularity as single values; empty without figures."""
        return {
            f"{prefix}{metric}": getattr(self.figures[name], metric)
            for name, prefix in ((RECOMMENDER, ""), (POPULARITY, f"{POPULARITY}_"))
            if name in self.figures
            for metric in ("ndcg", "recall")
        }


def judge(
    choices: Interactions,
    seed: int,
    learner: Learner,
    second_stage: SecondStage,
    *,
    truth: Ranker | None = None,
) -> Judgement:
    """Judge a recommender that learns from three quarters of the choices; see `splits.divide`.

    The `learner` makes its first stage. `truth` ranks all items in the best order that there is. The verdict is about
    users whom it has met.
    """
    choices = choices.in_order()
    division = divide(choices, seed)
    parts = halves(choices, division, learner.most_items, repeats=second_stage.repeats)
    asked, new = (np.sort(np.random.default_rng(seed).permutation(users)[:MOST_USERS]) for users in parts.asked)
    if len(asked) < FEWEST_USERS or len(parts.training) == 0:
        return _too_few(len(asked))
    fitted = _fitted(parts.training, seed)
    regularisation, _ = choose(learner, parts.training, fitted, asked, repeats=second_stage.repeats)
    rankers, weight = _rankers(parts, learner, regularisation, second_stage, truth)
    found, of_new = (_measured(rankers, parts, users) for users in (asked, new))
    accepted, reason = _verdict(found[RECOMMENDER], found[POPULARITY], seed)
    return Judgement(
        accepted=accepted,
        reason=reason,
        by_time=choices.times is not None,
        by_moment=division.by_moment,
        repeats=second_stage.repeats,
        users=len(asked),
        new_users=len(new),
        found_more=_found_more(found[RECOMMENDER], found[POPULARITY], seed),
        items=len(parts.items),
        first_stage=learner.name,
        regularisation=regularisation,
        ranking_weight=weight,
        figures={name: Figures.of(one) for name, one in found.items()},
        figures_of_new={name: Figures.of(one) for name, one in of_new.items()},
    )


def _fitted(training: Interactions, seed: int) -> Mask:
    """The rows, bool[n], that first stages are fitted on while their regularisation is chosen by the others."""
    if training.times is None:
        return splits.by_user(training, seed, FITTED_SHARE)
    return splits.by_time(training, seed, FITTED_SHARE)


def _rankers(
    parts: Halves, learner: Learner, regularisation: float, second_stage: SecondStage, truth: Ranker | None
) -> tuple[dict[str, Ranker], float]:
    """What is compared, the recommender first, and the second stage's weight. SAR has memory for some items only."""
    training = parts.training
    ranking = second_stage.fit(training, learner.learned(regularisation), parts.items)
    first_stage = ranker(learner.fit(training, regularisation), parts.histories.matrix())
    found = {RECOMMENDER: first_stage, POPULARITY: popularity(training)}
    if training.item_count <= MOST_WEIGHTED_ITEMS:
        found[SAR] = sar(training, parts.histories)
    if ranking is not None:
        found[RECOMMENDER] = second_stage.ranker(ranking, first_stage, parts.histories, parts.had)
        found[FIRST_STAGE] = first_stage
    if truth is not None:
        found[BEST] = lambda users: truth(users)[:, parts.items]
    return found, 0.0 if ranking is None else ranking.weight


def _measured(rankers: dict[str, Ranker], parts: Halves, users: Indices) -> dict[str, Ranking]:
    """Each ranker's metrics for these users, none if they are too few."""
    if len(users) < FEWEST_USERS:
        return {}
    return {name: evaluate(one, parts.had, parts.test, users, parts.missed) for name, one in rankers.items()}


def _too_few(users: int) -> Judgement:
    return Judgement(
        accepted=False,
        reason=f"There is no recommender: {users} users chose anything new in the rows that were held out, "
        f"and it takes {FEWEST_USERS} to judge one.",
    )


def fit(
    choices: Interactions, keys: list[str], judgement: Judgement, learner: Learner, second_stage: SecondStage
) -> Recommender:
    """A recommender from all choices of items with these keys, as `judgement` chose it."""
    choices = choices.in_order()
    items = most_chosen(choices, learner.most_items)
    rows = choices.of_items(items)
    regularisation, weight = judgement.regularisation, judgement.ranking_weight
    ranking = second_stage.fit(rows, learner.learned(regularisation), items, weight) if weight > 0 else None
    return Recommender(
        items=[keys[item] for item in items],
        first_stage=learner.fit(rows, regularisation),
        ranking=ranking,
        repeats=second_stage.repeats,
    )


def interval(differences: npt.NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of `differences`, float64[u], with one value for each user."""
    chance = np.random.default_rng(seed)
    means = [differences[chance.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _found_more(ours: Ranking, popular: Ranking, seed: int) -> tuple[float, float]:
    return interval(ours.found_by_users.astype(np.float64) - popular.found_by_users, seed)


def _verdict(ours: Ranking, popular: Ranking, seed: int) -> tuple[bool, str]:
    low, high = interval(ours.ndcg_of_users - popular.ndcg_of_users, seed)
    accepted = high >= 0
    outcome = "" if accepted else ", so it does not serve"
    return accepted, (
        f"NDCG@10 {ours.ndcg:.4f} is {abs(ours.ndcg - popular.ndcg):.4f} "
        f"{'higher' if ours.ndcg >= popular.ndcg else 'lower'} than that of the most popular items "
        f"({popular.ndcg:.4f}; 95 % interval over users {low:+.4f} to {high:+.4f}){outcome}."
    )
