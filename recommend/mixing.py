"""Chooses what the first stage's score is made of: by choices that were left out, as others are left out to judge it.

The simplest stays unless another one beats it by more than the standard error of their differences over users: first
recent popularity, then users' own choices where these are recommended again, then what others chose. Users whom
training met and new ones decide together by what others' choices are learned, and each for themselves how it is mixed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from math import sqrt
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from msgspec.structs import replace as changed

from recommend.arrays import Indices, Numbers, Scores
from recommend.first_stage import BY_OTHERS, MOST_ITEMS, OWN, POPULAR, REASONED, Blend, ItemWeights, Mix
from recommend.interactions import Interactions
from recommend.learning import FITTED_SHARE, Ease, Learner, Sar, Scorer, scorer
from recommend.metrics import Ranker, evaluate, listed, popularity
from recommend.nearest import Setting
from recommend.splits import FEWEST_KNOWN, FEWEST_USERS, Halves, divide, halves

DAYS = (0.0, 365.0, 90.0, 30.0, 7.0)
"""Half-lives of popularity to choose from; 0 is none."""
OWN_HALF_LIVES = (0.0, 300.0, 120.0, 60.0, 30.0)
RECENCIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
"""Half-lives in choices."""
SHARES = (0.1, 0.3, 1.0, 3.0)
"""The deviation of a part of the score, relative to that of the parts before it."""
WEAKER = (1.0, 0.5, 0.2, 0.0)
MOST_OF_THEM = 0.5
"""The share of earlier users from which on few ones who come back are like all others."""
MOST_TRIED = 1_000
"""Users by whom parts are chosen."""

Mixed: TypeAlias = Callable[[Mix], Ranker]
"""Ranks items by a mix."""
Report: TypeAlias = Callable[[str, int, int], None]
"""Is told what is being done, and how many parts of it are done, of how many."""
_T = TypeVar("_T")
Tried: TypeAlias = tuple[_T, Numbers]
"""What was tried, and the NDCG of each user, float64[u]."""


class Option(NamedTuple):
    """What others' choices can be learned by."""

    learner: Learner
    setting: Setting
    mixed: Mixed


class Plan(NamedTuple):
    """How a first stage is made: who learns it by which setting, the half-life of popularity in days, and the
    mix for users whom training met and for others, if these are enough to choose another one.
    """

    learner: Learner
    setting: Setting
    days: float = 0.0
    mix: Mix = BY_OTHERS
    of_new: Mix | None = None

    def learned(self, choices: Interactions) -> Ranker:
        """Ranks items for the users of `choices`, who are all known."""
        stage = self.learner.fit(choices, self.setting)
        mixes = mixed(choices, scorer(stage), choices.recent(self.days))
        return listed(mixes(self.mix), choices)

    def blend(self, training: Interactions, stage: ItemWeights) -> Blend:
        """What is served beside a first stage from these choices."""
        of_items = np.stack([_scaled(training.recent(self.days)), _typical(training, stage)])
        return Blend(mix=self.mix, of_new=self.of_new, of_items=of_items)


def _typical(training: Interactions, stage: ItemWeights) -> Numbers:
    """The mean scores by others of users, as reasons are looked for."""
    chosen = replace(training.latest(REASONED), kinds=None).matrix()
    users = np.count_nonzero(np.diff(chosen.indptr))
    counts = np.bincount(chosen.indices, minlength=training.item_count) / max(users, 1)
    return stage.scores(np.arange(training.item_count), counts)


def _scaled(counts: Numbers) -> Numbers:
    """Numbers with a standard deviation of 1, unless they are all equal."""
    return counts / (counts.std() or 1.0)


def mixed(histories: Interactions, scorer: Scorer, recent: Numbers) -> Mixed:
    """Ranks items for users with these histories by any mix."""
    own, popular = cache(lambda half_life: histories.matrix(histories.decayed(half_life))), _scaled(recent)
    others = cache(lambda recency: histories.largest(histories.decayed(recency)))

    def scores(users: Indices, mix: Mix) -> Scores:
        every = np.zeros((len(users), len(popular)))
        if mix.others:
            every += mix.others * scorer(others(mix.recency)[users])
        if mix.own:
            every += mix.own * own(mix.half_life)[users].toarray()
        return (every + mix.popularity * popular).astype(np.float32)

    return lambda mix: partial(scores, mix=mix)


def silent(_doing: str, _done: int, _total: int) -> None:
    """Report nothing."""


def plan(choices: Interactions, *, repeats: bool, moment: bool, report: Report = silent) -> Plan:
    """Choose among recent popularity, own choices with `repeats` or weaker kinds, weights and similarities; by the
    choices after a `moment`, or each user's latest ones.
    """
    division = divide(choices, FITTED_SHARE, moment=moment)

    def parts_of(days: float, weaker: float = 1.0) -> Halves:
        return halves(replace(choices, weaker=weaker), division, MOST_ITEMS, days, repeats=repeats)

    parts, own = parts_of(0.0), repeats or choices.kinds is not None
    known, new = map(_some, parts.asked)
    if not len(known) or not len(parts.training):
        return Plan(Ease(), Ease().settings(len(parts.items))[1], mix=Mix(own=float(own)))
    every, weaker = np.union1d(known, new), 1.0
    days = _simplest((one, _ndcg(popularity(parts.training, one), parts, every)) for one in DAYS)[0]
    if choices.kinds is not None:
        # Before the strongest choices, there are no items without the weaker ones.
        each = ((one, parts_of(days, one)) for one in WEAKER)
        tried = ((one, _Search(parts, every, own, report)) for one, parts in each if len(parts.training))
        weaker = _simplest((one, search.best([search.option(Sar(), days)])[1]) for one, search in tried)[0]
    search = _Search(parts_of(days, weaker), every, own, report)
    (option, mix), _ = search.best([search.option(one, days) for one in (Ease(), Sar())])
    of_new = None
    if mix.others:
        if len(new) >= FEWEST_USERS:
            of_new = changed(search._replace(users=new).with_others(option, mix)[0][1], weaker=weaker)
        come_back = len(parts.asked[0]) / max(parts.training.come_back(parts.met).sum(), 1)
        is_sure = len(known) >= FEWEST_KNOWN or come_back > MOST_OF_THEM or not division.by_moment
        (_, mix), _ = search._replace(users=known).with_others(option, mix, is_sure=is_sure)
    return Plan(option.learner, option.setting, days, changed(mix, weaker=weaker), of_new)


def _some(users: Indices) -> Indices:
    """Users by whom parts are chosen, ascending and the same each time."""
    return np.sort(np.random.default_rng(0).permutation(users)[:MOST_TRIED])


def _ndcg(ranker: Ranker, parts: Halves, users: Indices) -> Numbers:
    return evaluate(listed(ranker, parts.training), parts.had, parts.test, users, parts.missed).ndcg_of_users


def _simplest(tried: Iterable[Tried[_T]]) -> Tried[_T]:
    """The first one, unless the best one beats it by more than the standard error of their differences."""
    first, *others = tried
    best = max([first, *others], key=lambda one: one[1].mean())
    gained = best[1] - first[1]
    return best if gained.mean() > gained.std() / sqrt(len(gained)) else first


class _Search(NamedTuple):
    """Tries mixes for these users, also with their `own` choices."""

    parts: Halves
    users: Indices
    own: bool
    report: Report

    def option(self, learner: Learner, days: float) -> Option:
        """What a learner learns by its best setting: first how strongly, and then from how many nearest items."""
        training, histories = self.parts.training, self.parts.histories.of_users(self.users)

        def tried(settings: Sequence[Setting]) -> Iterator[tuple[float, Option]]:
            learned = learner.weights(training, settings)
            for number, (setting, stage) in enumerate(zip(settings, learned, strict=True), 1):
                option = Option(learner, setting, mixed(histories, scorer(stage), training.recent(days)))
                ndcg = _ndcg(option.mixed(BY_OTHERS), self.parts, self.users).mean()
                self.report(f"try settings of {learner.name}", number, len(settings))
                yield ndcg, option

        best = max(tried(learner.settings(training.item_count)), key=lambda one: one[0])
        further = learner.settings(training.item_count, best[1].setting)
        return max([best, *tried(further)] if further else [best], key=lambda one: one[0])[1]

    def best(self, options: Sequence[Option]) -> Tried[tuple[Option, Mix]]:
        """The simplest option and mix that no other one beats."""
        found = self._tried(options[0], POPULAR)
        if self.own:
            alone = (self._tried(options[0], changed(OWN, half_life=one)) for one in OWN_HALF_LIVES)
            found = _simplest([found, _simplest(alone)])
        base = found[0][1]
        for option in options:
            found = _simplest([found, self.with_others(option, base)])
        return found

    def with_others(self, option: Option, base: Mix, *, is_sure: bool = True) -> Tried[tuple[Option, Mix]]:
        """The best mix with what others chose, and beside what is own in the `base`; with recency and more of
        popularity if it `is_sure`: few users who come back after a date are unlike all others.
        """
        mixes, alone = [BY_OTHERS], changed(OWN, half_life=base.half_life)
        share_of_own = self._deviation(option, alone) / self._deviation(option, BY_OTHERS)
        if base.own:
            mixes = [changed(alone, others=share * share_of_own) for share in SHARES]
        found = max((self._tried(option, one) for one in mixes), key=lambda one: one[1].mean())
        steps = [[{"recency": one} for one in RECENCIES if is_sure]]
        if self.own and not base.own:
            steps += [[{"own": share / share_of_own} for share in SHARES]]
        unit = self._deviation(option, found[0][1])
        steps += [[{"popularity": share * unit} for share in SHARES[: None if is_sure else 1]]]
        for step in steps:
            found = _simplest([found, *(self._tried(option, changed(found[0][1], **one)) for one in step)])
        return found

    def _deviation(self, option: Option, mix: Mix) -> float:
        return float(option.mixed(mix)(self.users[:FEWEST_USERS]).std(axis=1).mean()) or 1.0

    def _tried(self, option: Option, mix: Mix) -> Tried[tuple[Option, Mix]]:
        return (option, mix), _ndcg(option.mixed(mix), self.parts, self.users)
