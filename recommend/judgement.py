"""Trains a recommender and judges it on held-out choices, beside popularity and SAR."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Protocol, Self

import msgspec
import numpy as np
import numpy.typing as npt

from recommend.arrays import Indices, Mask, Scores
from recommend.first_stage import BY_OTHERS, MOST_ITEMS, POPULAR, ItemWeights, Mix
from recommend.interactions import Interactions, Matrix
from recommend.learning import Ease, Learned, Learner, Sar, scorer, together
from recommend.metrics import K, Ranker, Ranking, evaluate, listed, most_own, popularity, sar
from recommend.mixing import Plan, Report, mixed, plan, silent
from recommend.nearest import Setting
from recommend.ranking import CANDIDATES, CandidateRanking, best_of, diverse
from recommend.recommender import Recommender
from recommend.splits import FEWEST_USERS, Halves, divide, folds, halves, in_visits, most_chosen, visits_of

MOST_USERS = 5_000
"""Users that are judged at most: more would not change a decision."""
RESAMPLES = 1_000
MOSTLY_POPULAR = 0.9
"""The share of recommendations of bestsellers from which on there is a warning."""
MANY_ITEMS = 20 * K
"""From so many items on: a list shows one in twenty at most."""
RECOMMENDER, FIRST_STAGE, POPULARITY = "recommender", "first stage alone", "popularity"
OWN = "own most chosen"
BASELINES = {POPULARITY: "that of the most popular items", OWN: "that of each user's own most chosen items"}
"""What a recommender must not be worse than, and how a sentence says it."""
SAR, BEST = "SAR", "best reachable"
IN_BASKETS = " A basket is held out whole: wait until more users have two, or leave `basket` out, which flatters."
WITHIN_VISITS = f" This is judged within visits, which flatters: fewer than {FEWEST_USERS} users have a second visit."
"""What is added to reasons."""
DIVERSITY = 0.3
"""The diversity of requests whose cost is measured."""


class SecondStage(Protocol):
    """Learns to rank candidates."""

    @property
    def repeats(self) -> bool:
        """Whether a user's own items are candidates."""
        ...

    def fit(
        self,
        choices: Interactions,
        held_out: Sequence[Mask],
        learned: Learned,
        items: Indices,
        weight: float | None = None,
        /,
    ) -> CandidateRanking | None:
        """A ranking from choices of the `items`, int64[m].

        Candidates are those of a first stage that is `learned` without each of the parts `held_out`, bool[n], which
        tell whether they were chosen. Without a `weight` it is chosen. None if it gains nothing.
        """
        ...

    def ranker(self, ranking: CandidateRanking, first_stage: Ranker, known: Interactions, had: Matrix, /) -> Ranker:
        """Ranks the candidates that a first stage offers to users who chose what is `known`, except what they `had`,
        [u, m]; all other items are -inf.
        """
        ...


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A ranker's metrics at 10 on the held-out choices. `found` is the share of users who are recommended something
    that they chose later, `coverage` that of the items that may be recommended which anybody is, and `popular` that of
    recommendations that are among the most chosen tenth of these items.
    """

    found: float
    ndcg: float
    recall: float
    coverage: float
    popular: float

    @classmethod
    def of(cls, ranking: Ranking, listed: Mask | None = None) -> Self:
        """The metrics of a ranking of items that are numbered by their popularity, and of which some are `listed`."""
        shown = ranking.shown if listed is None else ranking.shown[listed]
        return cls(
            found=float(ranking.found_by_users.mean()),
            ndcg=ranking.ndcg,
            recall=ranking.recall,
            coverage=float((shown > 0).mean()),
            popular=float(shown[: -(-len(shown) // 10)].sum() / max(shown.sum(), 1)),
        )


class Outcome(StrEnum):
    """What a judgement comes to, in a line."""

    BETTER = "better"
    NOT_SHOWN = "not shown to be better"
    WORSE = "worse (would not be served)"
    TOO_FEW = "too few customers"
    NOT_JUDGED = "not judged"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a recommender may serve, with the reason in a sentence, and what it was judged by.

    `by_time` is whether the last quarter of the rows was held out, and not a random one: of all rows if `by_moment`,
    else of each user's; rows of one visit are divided only if it is judged `within_visits`. `items` are those that can
    be recommended. `figures_of_new` are about users of whom nothing was learned: they get the `RECOMMENDER` or
    `POPULARITY`, by `new_users_get`, as the other half decided. With `repeats`, what users chose was recommended to
    them again. `first_stage` is its kind, learned by a `Setting` of `regularisation`, `scaling` and `nearest`, and
    mixed as `mix` says, for new users as `mix_of_new` does; `days` are the half-life of popularity. With a
    `ranking_weight` of 0 there is no second stage. A `warning` is a sentence.
    Without figures, there is no recommender.
    """

    accepted: bool
    reason: str
    by_time: bool = False
    by_moment: bool = False
    within_visits: bool = False
    repeats: bool = False
    users: int = 0
    new_users: int = 0
    found_more: tuple[float, float] | None = None
    """The 95 % interval of the share of users by which more find something here than by the `stronger` baseline."""
    items: int = 0
    first_stage: str = ""
    regularisation: float = 0.0
    scaling: float = 0.0
    nearest: int = 0
    ranking_weight: float = 0.0
    mix: Mix = BY_OTHERS
    mix_of_new: Mix | None = None
    days: float = 0.0
    new_users_get: str = RECOMMENDER
    diverse_ndcg: float = 0.0
    """The NDCG@10 of lists with `DIVERSITY`."""
    warning: str = ""
    figures: dict[str, Figures] = msgspec.field(default_factory=dict)
    figures_of_new: dict[str, Figures] = msgspec.field(default_factory=dict)

    @property
    def stronger(self) -> str:
        """The one of `BASELINES` by which more users find something."""
        return max((name for name in BASELINES if name in self.figures), key=lambda name: self.figures[name].found)

    @property
    def outcome(self) -> Outcome:
        """Whether it is better than the `stronger` baseline; what the gate rejects is worse."""
        if not self.figures:
            return Outcome.TOO_FEW
        if not self.accepted:
            return Outcome.WORSE
        return Outcome.BETTER if self.found_more and self.found_more[0] > 0 else Outcome.NOT_SHOWN

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
    second_stage: SecondStage,
    *,
    truth: Ranker | None = None,
    report: Report = silent,
) -> Judgement:
    """Judge a recommender that learns from three quarters of the choices; see `splits.divide`.

    See `recommend.mixing` for its first stage. `truth` ranks all items in the best order that there is. The verdict is
    about users whom it has met. `report` is told how far it is.
    """
    choices, is_divided = in_visits(choices.in_order(), seed)
    division, repeats = divide(choices), second_stage.repeats
    chosen = plan(choices.only(division.first), repeats=repeats, moment=division.by_moment, report=report)
    weighted = replace(choices, weaker=chosen.mix.weaker)
    parts = halves(weighted, division, MOST_ITEMS, chosen.days, repeats=repeats)
    asked, new = (np.sort(np.random.default_rng(seed).permutation(users)[:MOST_USERS]) for users in parts.asked)
    if len(asked) < FEWEST_USERS or len(parts.training) == 0:
        return Judgement(
            accepted=False,
            reason=f"There is no recommender: {len(asked)} users chose anything new in the rows that were held out, "
            f"and it takes {FEWEST_USERS} to judge one.{'' if choices.baskets is None else IN_BASKETS}",
        )
    parts = replace(parts, histories=parts.histories.of_users(np.concatenate([asked, new])))
    report("learn from the earlier choices", 0, 2)
    stage = chosen.learner.fit(parts.training, chosen.setting)
    report("learn from the earlier choices", 1, 2)
    rankers, weight = _rankers(parts, chosen, stage, second_stage, truth, moment=division.by_moment)
    found = _measured(rankers, parts, asked, report)
    if weight and _gained(found, RECOMMENDER, FIRST_STAGE, seed)[1] < 0:
        found[RECOMMENDER], rankers[RECOMMENDER], weight = found.pop(FIRST_STAGE), rankers.pop(FIRST_STAGE), 0.0
    others = _diverse(listed(rankers[RECOMMENDER], parts.training), stage, parts.had)
    by_half, of_new = (_measured(rankers, parts, users) for users in (new[::2], new[1::2]))
    for_new, may_be = _for_new(by_half, seed), parts.training.listed
    if of_new:
        of_new[RECOMMENDER] = of_new[for_new]
    accepted, reason = _verdict(found, seed)
    judged = Judgement(
        accepted=accepted,
        reason=f"{reason}{WITHIN_VISITS if is_divided else ''}",
        by_time=choices.times is not None and bool(np.ptp(choices.times) > 0),
        by_moment=division.by_moment,
        within_visits=is_divided,
        repeats=repeats,
        users=len(asked),
        new_users=len(new) // 2 if of_new else len(new),
        items=len(parts.items),
        first_stage=chosen.learner.name,
        regularisation=chosen.setting.regularisation,
        scaling=chosen.setting.scaling,
        nearest=chosen.setting.nearest,
        ranking_weight=weight,
        mix=chosen.mix,
        mix_of_new=POPULAR if for_new == POPULARITY else chosen.of_new,
        days=chosen.days,
        new_users_get=for_new,
        diverse_ndcg=evaluate(others, parts.had, parts.test, asked, parts.missed).ndcg,
        warning=_warning(found[RECOMMENDER], may_be),
        figures={name: Figures.of(one, may_be) for name, one in found.items()},
        figures_of_new={name: Figures.of(one, may_be) for name, one in of_new.items()},
    )
    more = found[RECOMMENDER].found_by_users.astype(np.float64) - found[judged.stronger].found_by_users
    return msgspec.structs.replace(judged, found_more=interval(more, seed))


def _rankers(
    parts: Halves, chosen: Plan, stage: ItemWeights, second_stage: SecondStage, truth: Ranker | None, *, moment: bool
) -> tuple[dict[str, Ranker], float]:
    """What is compared, the recommender first, and the second stage's weight."""
    training = parts.training
    ranking = second_stage.fit(training, folds(training, moment=moment), chosen.learned, parts.items)
    mixes = mixed(parts.histories, scorer(stage), training.recent(chosen.days))

    def by_mix(users: Indices) -> Scores:
        is_new = not np.isin(users[0], parts.met)  # as all that are ranked in one call
        return mixes(chosen.of_new or chosen.mix if is_new else chosen.mix)(users)

    first_stage = listed(by_mix, training)
    found = {RECOMMENDER: first_stage, POPULARITY: popularity(training, chosen.days)}
    if second_stage.repeats or training.kinds is not None:
        found[OWN] = most_own(training, parts.histories)
    found[SAR] = sar(training, parts.histories)
    if ranking is not None:
        found[RECOMMENDER] = second_stage.ranker(ranking, first_stage, parts.histories, parts.had)
        found[FIRST_STAGE] = first_stage
    if truth is not None:
        found[BEST] = lambda users: truth(users)[:, parts.items]
    return found, 0.0 if ranking is None else ranking.weight


def _diverse(ranker: Ranker, stage: ItemWeights, had: Matrix) -> Ranker:
    """Ranks the best items of another ranker with `DIVERSITY`, but what users `had`, [u, m]; all others are -inf."""

    def scores(users: Indices) -> Scores:
        every = np.where(had[users].toarray() != 0, -np.inf, ranker(users))
        found = np.full(every.shape, -np.inf, np.float32)
        for row, own in zip(found, every, strict=True):
            best = best_of(own, CANDIDATES)
            order = diverse(own[best], stage.likeness(best), DIVERSITY, K)
            row[best[order]] = -np.arange(len(order))
        return found

    return scores


def _for_new(of_new: dict[str, Ranking], seed: int) -> str:
    """What new users get: recent popularity, unless the recommender is better beyond chance, or can't be judged."""
    if not of_new:
        return RECOMMENDER
    return RECOMMENDER if _gained(of_new, RECOMMENDER, POPULARITY, seed)[0] > 0 else POPULARITY


def _warning(ours: Ranking, listed: Mask | None) -> str:
    """A sentence, if lists are nearly all bestsellers. Of few items, a good one is in many lists of ten anyway."""
    popular, most = Figures.of(ours, listed).popular, float(ours.shown.max() / len(ours.ndcg_of_users))
    if len(ours.shown) < MANY_ITEMS or (popular <= MOSTLY_POPULAR and most <= 0.5):  # noqa: PLR2004 - half of the lists
        return ""
    return (
        f"Lists are much alike: {popular:.0%} of the recommendations are among the most chosen tenth of the items, and "
        f"one item is in {most:.0%} of the lists."
    )


def _measured(rankers: dict[str, Ranker], parts: Halves, users: Indices, report: Report = silent) -> dict[str, Ranking]:
    """Each ranker's metrics for these users, none if they are too few."""
    if len(users) < FEWEST_USERS:
        return {}
    found = {}
    for number, (name, one) in enumerate(rankers.items(), 1):
        found[name] = evaluate(listed(one, parts.training), parts.had, parts.test, users, parts.missed)
        report("judge", number, len(rankers))
    return found


def fit(
    choices: Interactions, keys: list[str], judgement: Judgement, second_stage: SecondStage, report: Report = silent
) -> Recommender:
    """A recommender from all choices of items with these keys, as `judgement` chose it; `report` is told how far it
    is.
    """
    report("learn from all choices", 0, 2)
    choices = replace(choices.in_order(), weaker=judgement.mix.weaker)
    items = most_chosen(choices, MOST_ITEMS, judgement.days)
    rows = choices.of_items(items)
    learners: dict[str, Learner] = {one.name: one for one in (Ease(), Sar())}
    chosen = Plan(
        learner=learners[judgement.first_stage],
        setting=Setting(judgement.regularisation, judgement.scaling, judgement.nearest),
        days=judgement.days,
        mix=judgement.mix,
        of_new=judgement.mix_of_new,
    )
    weight = judgement.ranking_weight
    stage = chosen.learner.fit(rows, chosen.setting)
    report("learn from all choices", 1, 2)
    ranking = None
    if weight > 0:
        visits = visits_of(rows, 0, whole=not judgement.within_visits)
        held_out = folds(replace(rows, visits=visits), moment=judgement.by_moment)
        ranking = second_stage.fit(rows, held_out, chosen.learned, items, weight)
    return Recommender(
        items=[keys[item] for item in items],
        first_stage=stage,
        blend=chosen.blend(rows, stage),
        ranking=ranking,
        repeats=second_stage.repeats,
        together=together(rows),
    )


def interval(differences: npt.NDArray[np.float64], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of `differences`, float64[u], with one value for each user."""
    chance = np.random.default_rng(seed)
    means = [differences[chance.integers(0, len(differences), len(differences))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _gained(found: dict[str, Ranking], name: str, over: str, seed: int) -> tuple[float, float]:
    """The interval of the NDCG@10 by which one ranker is better than another."""
    return interval(found[name].ndcg_of_users - found[over].ndcg_of_users, seed)


def _verdict(found: dict[str, Ranking], seed: int) -> tuple[bool, str]:
    ours, name = found[RECOMMENDER], max((name for name in BASELINES if name in found), key=lambda one: found[one].ndcg)
    baseline = found[name]
    low, high = _gained(found, RECOMMENDER, name, seed)
    accepted = high >= 0
    outcome = "" if accepted else ", so it does not serve"
    return accepted, (
        f"NDCG@10 {ours.ndcg:.4f} is {abs(ours.ndcg - baseline.ndcg):.4f} "
        f"{'higher' if ours.ndcg >= baseline.ndcg else 'lower'} than {BASELINES[name]} "
        f"({baseline.ndcg:.4f}; 95 % interval over users {low:+.4f} to {high:+.4f}){outcome}."
    )
