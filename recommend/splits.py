"""Splits of interactions into training and test rows, as the recommenders project makes them, and what a recommender is
judged by: which rows, and what users are known to have chosen when they are asked.

Its `python_stratified_split` shuffles the rows of each user (or item) and takes the first 75 % for training; its
`python_chrono_split` takes the first ones by time. That one leaves rows of the same time in their order, which often is
that of items: where times are dates, the hold-out would then have the items with the highest numbers.
https://github.com/recommenders-team/recommenders/blob/main/recommenders/datasets/python_splitters.py
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.hashing import hash_whole_numbers
from recommend.arrays import Indices, Mask, Numbers
from recommend.first_stage import last_of_each
from recommend.interactions import Interactions, Matrix

TRAINING_SHARE = 0.75

FEWEST_USERS = 30
"""Users with held-out choices below which nothing can be compared."""
FEWEST_KNOWN = 500
"""Users with choices on both sides of a moment, from which on a recommender is judged at that moment."""


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
    return _first_of_each(interactions.users, share, _times(interactions), _ties(interactions, seed))


def by_visit(interactions: Interactions, seed: int, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: as by `by_time`, but what a user chose at one time stays together.

    The rows of an order are held out if one of them is, since half of an order would tell of the other half; a user's
    first order is not. If that leaves too few users to judge by, as on one date for all, it is `by_time`.
    """
    apart = by_time(interactions, seed, share)
    order = interactions.by_user()
    users, times = interactions.users[order], _times(interactions)[order]
    ends = last_of_each(users, times)
    visits: Indices = np.cumsum(ends) - ends
    whole = np.bincount(visits, ~apart[order]) == 0
    whole[visits[np.searchsorted(users, users)]] = True
    together = np.empty_like(apart)
    together[order] = whole[visits]
    return together if len(np.unique(interactions.users[~together])) >= FEWEST_USERS else apart


def by_moment(interactions: Interactions, share: float = TRAINING_SHARE) -> Mask:
    """Which interactions are training rows, bool[n]: `share` of all rows, those until a moment.

    Raises `ValueError` like `by_time`.
    """
    times = _times(interactions)
    return times <= np.quantile(times, share, method="lower")


def _times(interactions: Interactions) -> Numbers:
    if interactions.times is None:
        raise ValueError("interactions without times cannot be split by time")
    return interactions.times


def _numbers(rows: int, seed: int) -> npt.NDArray[np.float64]:
    # The legacy generator, because published figures depend on its numbers.
    return np.random.RandomState(seed).rand(rows)


def _ties(interactions: Interactions, seed: int) -> npt.NDArray[np.uint64]:
    seeds = np.full(len(interactions), seed, np.int64).view(np.uint64)
    return hash_whole_numbers(interactions.items, hash_whole_numbers(interactions.users, seeds))


def _first_of_each(groups: Indices, share: float, *order: npt.NDArray[np.generic]) -> Mask:
    """Which rows are among the first `share` of their group's rows, rounded, by the numbers in `order`, the first one
    first.
    """
    rows = np.lexsort((*reversed(order), groups))
    sorted_groups = groups[rows]
    starts = np.searchsorted(sorted_groups, sorted_groups)
    counts = np.bincount(groups)
    # Both this and pandas, which the published splits use, round halves to even.
    limits = np.round(share * counts[sorted_groups])
    mask = np.zeros(len(groups), dtype=np.bool_)
    mask[rows] = np.arange(len(groups)) - starts < limits
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


def divide(choices: Interactions, seed: int, share: float = TRAINING_SHARE, fewest: int | None = None) -> Division:
    """The first `share` of all choices by time, if the `fewest` users, or `FEWEST_KNOWN`, have some on both sides; else
    of each user's, by time or without times at random.

    New users have no first row: the first half of theirs is their history. Of kinds the strongest is held out alone.
    """
    if choices.times is None:
        first = by_user(choices, seed, share)
        return Division(first=first, histories=first, by_moment=False)
    first = by_moment(choices, share)
    known = np.intersect1d(choices.users[first], choices.only(~first).strongest().users)
    if len(known) < (FEWEST_KNOWN if fewest is None else fewest):
        first = by_visit(choices, seed, share)
        return Division(first=first, histories=first, by_moment=False)
    is_new = ~np.isin(choices.users, choices.users[first])
    return Division(first=first, histories=first | (is_new & by_time(choices, seed, 0.5)), by_moment=True)


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
