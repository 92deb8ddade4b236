"""Splits of interactions into training and test rows, and what a recommender is judged by: which rows, and what users
are known to have chosen when they are asked.

Two splits are made as the recommenders project makes them, whose figures are published: its `python_stratified_split`
shuffles the rows of each user (or item) and takes the first 75 % for training; its `python_chrono_split` takes the
first ones by time. That one leaves rows of the same time in their order, which often is that of items: where times are
dates, the hold-out would then have the items with the highest numbers.
https://github.com/recommenders-team/recommenders/blob/main/recommenders/datasets/python_splitters.py

A recommender is judged by whole visits: half of an order tells of its other half, and a view of the purchase after it.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.hashing import hash_whole_numbers
from recommend.arrays import Indices, Mask, Numbers
from recommend.first_stage import last_of_each
from recommend.interactions import Interactions, Matrix
from recommend.nearest import has_all_pairs

TRAINING_SHARE = 0.75
FOLDS = 4
"""Parts of choices without times, each of which is once what lists are labelled by."""

FEWEST_USERS = 30
"""Users with held-out choices below which nothing can be compared."""
FEWEST_KNOWN = 500
"""Users with choices on both sides of a moment, from which on a recommender is judged at that moment."""
PAUSE_SECONDS = 30 * 60
"""Without a row for so long, a user's next one begins another visit."""


def by_item(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of each item's rows at random."""
    return _first_of_each(interactions.items, share, _numbers(len(interactions), seed))


def by_user(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of each user's rows at random."""
    return _first_of_each(interactions.users, share, _numbers(len(interactions), seed))


def by_time(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: the first `share` of each user's rows by time.

    `seed`, the user and the item decide the order of rows of the same time. Raises `ValueError` for interactions
    without times.
    """
    if interactions.times is None:
        raise ValueError("interactions without times cannot be split by time")
    rows = visits_of(replace(interactions, baskets=None), seed, whole=False)
    return _first_of_each(interactions.users, share, rows)


def by_visit(choices: Interactions, share: float = TRAINING_SHARE) -> Mask:
    """Which choices are training rows, bool[n]: the first `share` of each user's rows in the order of their visits.

    A visit is held out whole if one of its rows is, but not a user's first.
    """
    return _first_of_each(choices.users, share, _visits(choices))


def by_moment(choices: Interactions, share: float = TRAINING_SHARE) -> Mask:
    """Which choices are training rows, bool[n]: `share` of all rows, those of visits that ended until a moment."""
    visits = _visits(choices)
    ends = _ends(visits, _times(choices))[visits]
    first: Mask = ends <= np.quantile(ends, share, method="lower")
    return first


def visits_of(choices: Interactions, seed: int, *, whole: bool = True) -> Indices:
    """The number of each row's visit, int64[n], ascending by user and the time of the visit's last row.

    A visit is what a user chose in one basket, or else without a pause of `PAUSE_SECONDS`; rows of no basket in such a
    session with baskets are of the last one. Without times, or if visits are not to be `whole`, each row without a
    basket is a visit. `seed`, user and item decide the order of visits of the same time, or without times.
    """
    times = _times(choices)
    groups = _sessions(choices) if whole and choices.times is not None else np.arange(len(choices))
    if choices.baskets is not None:
        groups = _with_baskets(groups, choices.baskets, times)
    keys = choices.users * (groups.max(initial=0) + 1) + groups
    _, first, visits = np.unique(keys, return_index=True, return_inverse=True)
    users, seeds = choices.users[first], np.full(len(first), seed, np.int64).view(np.uint64)
    ties = hash_whole_numbers(choices.items[first], hash_whole_numbers(users, seeds))
    numbers = np.empty(len(first), np.int64)
    numbers[np.lexsort((ties, _ends(visits, times), users))] = np.arange(len(first))
    return numbers[visits]


def _with_baskets(sessions: Indices, baskets: Indices, times: Numbers) -> Indices:
    """The number of each row's basket, int64[n], or of that of the last row with one in its session, or the session."""
    known = np.flatnonzero(baskets >= 0)
    known = known[np.argsort(times[known], kind="stable")]
    last = np.full(sessions.max(initial=-1) + 1, -1)
    last[sessions[known]] = baskets[known]
    found = np.where(baskets < 0, last[sessions], baskets)
    return np.where(found < 0, sessions, len(last) + found)


def _sessions(choices: Interactions) -> Indices:
    """The number of each row's session, int64[n]: a user's next one begins after a pause of `PAUSE_SECONDS`."""
    order = choices.by_user()
    users, times = choices.users[order], _times(choices)[order]
    begins = (np.diff(users, prepend=-1) != 0) | (np.diff(times, prepend=0) >= PAUSE_SECONDS)
    sessions = np.empty(len(order), np.int64)
    sessions[order] = np.cumsum(begins)
    return sessions


def _ends(visits: Indices, times: Numbers) -> Numbers:
    """The time of the last row of each visit, float64[v]."""
    ends = np.full(visits.max(initial=-1) + 1, -np.inf)
    np.maximum.at(ends, visits, times)
    return ends


def _visits(choices: Interactions) -> Indices:
    return visits_of(choices, 0) if choices.visits is None else choices.visits


def _times(choices: Interactions) -> Numbers:
    return np.zeros(len(choices)) if choices.times is None else choices.times


def _numbers(rows: int, seed: int) -> npt.NDArray[np.float64]:
    # The legacy generator, because published figures depend on its numbers.
    return np.random.RandomState(seed).rand(rows)


def _first_of_each(groups: Indices, share: float, order: npt.NDArray[np.generic]) -> Mask:
    """Which rows are among the first `share` of their group's rows, rounded, in `order`. Rows with the same number in
    it stay together: they are among them if the last one is, or if they are the group's first.
    """
    rows = np.lexsort((order, groups))
    sorted_groups, numbers = groups[rows], order[rows]
    starts = np.searchsorted(sorted_groups, sorted_groups)
    lasts = np.flatnonzero(last_of_each(sorted_groups, numbers))
    ends = lasts[np.searchsorted(lasts, np.arange(len(rows)))]
    # Both this and pandas, which the published splits use, round halves to even.
    limits = np.round(share * np.bincount(groups)[sorted_groups])
    mask = np.zeros(len(groups), dtype=np.bool_)
    mask[rows] = (ends - starts < limits) | (numbers == numbers[starts])
    return mask


class Division(NamedTuple):
    """The `first` choices, bool[n], to learn from, and the `histories`, bool[n], of users when they are asked."""

    first: Mask
    histories: Mask
    by_moment: bool


@dataclass(frozen=True, kw_only=True)
class Halves:
    """The choices to learn from, `training`, and the later ones: of the same users and of these `items`, int64[m].

    When users are asked, they have chosen what is in `histories`, and are not recommended what is in `had`. `missed`,
    int64[u], counts each user's later choices of other items, and `met` are the users with earlier rows.
    """

    training: Interactions
    items: Indices
    histories: Interactions
    had: Matrix
    test: Matrix
    missed: Indices
    met: Indices

    @property
    def asked(self) -> tuple[Indices, Indices]:
        """The users with later choices who have earlier rows, and those who are new."""
        every = np.flatnonzero((np.diff(self.test.indptr) + self.missed) > 0)
        known = np.isin(every, self.met)
        return every[known], every[~known]


def divide(choices: Interactions, share: float = TRAINING_SHARE, *, moment: bool | None = None) -> Division:
    """The first `share` of all choices by time, if `FEWEST_KNOWN` users have some on both sides, or `FEWEST_USERS` if
    it is to be a `moment`; else of each user's, by time or without times at random. Both are in whole visits.

    New users have no first row: the first half of their visits is their history. Of kinds the strongest is held out
    alone.
    """
    if choices.times is not None and moment is not False:
        first = by_moment(choices, share)
        known = np.intersect1d(choices.users[first], choices.only(~first).wanted().users)
        if len(known) >= (FEWEST_USERS if moment else FEWEST_KNOWN):
            is_new = ~np.isin(choices.users, choices.users[first])
            return Division(first=first, histories=first | (is_new & by_visit(choices, 0.5)), by_moment=True)
    first = by_visit(choices, share)
    return Division(first=first, histories=first, by_moment=False)


def in_visits(choices: Interactions, seed: int) -> tuple[Interactions, bool]:
    """The choices with their visits, and whether these are divided since too few users have a second one to ask for.

    Baskets are never divided.
    """
    whole, apart = (visits_of(choices, seed, whole=one) for one in (True, False))
    kept = replace(choices, visits=whole)
    asked = np.unique(kept.only(~divide(kept).first).wanted().users)
    if len(asked) >= FEWEST_USERS or np.array_equal(whole, apart):
        return kept, False
    return replace(choices, visits=apart), True


def folds(choices: Interactions, *, moment: bool) -> list[Mask]:
    """What lists of candidates are labelled by, bool[n] each, as what a recommender is judged by: the choices after a
    `moment` or the latest of each user; without times all choices in parts, of whole visits at random. Of very many
    items it is one part, since a first stage is learned without each.
    """
    if choices.times is not None:
        return [~divide(choices, moment=moment).first]
    visits = _visits(choices)
    fold = np.random.default_rng(0).integers(0, FOLDS, visits.max(initial=0) + 1)[visits]
    return [fold == number for number in range(FOLDS if has_all_pairs(choices.item_count) else 1)]


def halves(
    choices: Interactions, division: Division, most_items: int, half_life: float = 0.0, *, repeats: bool = False
) -> Halves:
    """What is learned from, and what is asked, about the most chosen items; see `most_chosen` for the `half_life` and
    `task` for `repeats`.
    """
    first, histories, _ = division
    items = most_chosen(choices.only(first), most_items, half_life)
    known = np.isin(choices.items, items)
    training, own, later = (choices.only(mask & known).of_items(items) for mask in (first, histories, ~histories))
    had, test = task(own, later, repeats=repeats)
    _, missed = task(choices.only(histories & ~known), choices.only(~histories & ~known), repeats=repeats)
    return Halves(
        training=training,
        items=items,
        histories=own,
        had=had,
        test=test,
        missed=np.diff(missed.indptr).astype(np.int64),
        met=np.unique(choices.users[first]),
    )


def task(own: Interactions, later: Interactions, *, repeats: bool) -> tuple[Matrix, Matrix]:
    """What is not recommended to users, since they have chosen it, and what else they chose `later`, [u, m] each.

    With `repeats`, what they have chosen is recommended, too. See `Interactions.wanted`.
    """
    had, test = own.only(np.full(len(own), not repeats)).strongest().matrix(), later.wanted().matrix()
    test = test - test.multiply(had)
    test.eliminate_zeros()
    return had, test


def most_chosen(rows: Interactions, most: int, half_life: float = 0.0) -> Indices:
    """The `most` items that were chosen most often, best first and of equal ones the lower number; see
    `Interactions.recent` for the `half_life`.
    """
    counts = rows.recent(half_life)
    order = np.argsort(-counts, kind="stable")[:most]
    kept: Indices = order[counts[order] > 0]
    return kept
