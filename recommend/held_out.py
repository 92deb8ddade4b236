"""Which rows a recommender is judged by, and what users are known to have chosen when they are asked."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recommend import splits
from recommend.arrays import Indices, Mask
from recommend.interactions import Interactions, Matrix

FEWEST_KNOWN = 500
"""Users with choices on both sides of a moment, from which on one moment divides the rows of all users."""


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


def divide(choices: Interactions, seed: int) -> Division:
    """The first three quarters of all choices by time, if enough users have some on both sides; else of each user's, by
    time or without times at random.

    New users have no first row: the first half of theirs is their history.
    """
    if choices.times is None:
        first = splits.by_user(choices, seed)
        return Division(first=first, histories=first, by_moment=False)
    first = splits.by_moment(choices)
    if len(np.intersect1d(choices.users[first], choices.users[~first])) < FEWEST_KNOWN:
        first = splits.by_time(choices, seed)
        return Division(first=first, histories=first, by_moment=False)
    is_new = ~np.isin(choices.users, choices.users[first])
    return Division(first=first, histories=first | (is_new & splits.by_time(choices, seed, 0.5)), by_moment=True)


def halves(choices: Interactions, division: Division, most_items: int, *, repeats: bool = False) -> Halves:
    """What is learned from, and what is asked, about the most chosen items; see `task` for `repeats`."""
    first, histories, _ = division
    items = most_chosen(choices.only(first), most_items)
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

    With `repeats`, what they have chosen is recommended, too.
    """
    had, test = own.only(np.full(len(own), not repeats)).matrix(), later.matrix()
    test = test - test.multiply(had)
    test.eliminate_zeros()
    return had, test


def most_chosen(rows: Interactions, most: int) -> Indices:
    """The `most` items that were chosen most often, best first and of equal ones the lower number."""
    counts = np.bincount(rows.items, minlength=rows.item_count)
    order = np.argsort(-counts, kind="stable")[:most]
    kept: Indices = order[counts[order] > 0]
    return kept
