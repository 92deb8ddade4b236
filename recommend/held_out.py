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
    """The `first` rows, bool[n], to learn from, and the `histories`, bool[n], that users have when they are asked."""

    first: Mask
    histories: Mask
    by_moment: bool


@dataclass(frozen=True, kw_only=True)
class Halves:
    """All that users had seen `before`, the `chosen` ones to learn from, bool[n], and the later choices: of the same
    users and of these `items`, int64[m].

    When users are asked, they have chosen what is in `histories`, and seen all that is in `seen`. `missed`, int64[u],
    counts each user's later choices of other items, and `met` are the users with earlier rows.
    """

    before: Interactions
    chosen: Mask
    items: Indices
    histories: Interactions
    seen: Matrix
    test: Matrix
    missed: Indices
    met: Indices

    @property
    def training(self) -> Interactions:
        """The choices to learn from."""
        return self.before.only(self.chosen)

    @property
    def asked(self) -> tuple[Indices, Indices]:
        """The users with later choices who have earlier rows, and those who are new."""
        every = np.flatnonzero((np.diff(self.test.indptr) + self.missed) > 0)
        known = np.isin(every, self.met)
        return every[known], every[~known]


def divide(interactions: Interactions, chosen: Mask, seed: int) -> Division:
    """The first three quarters of all rows by time, if enough users have choices on both sides; else of each user's
    rows, by time or without times at random.

    New users have no first row: the first half of theirs is their history.
    """
    if interactions.times is None:
        first = splits.by_user(interactions, seed)
        return Division(first=first, histories=first, by_moment=False)
    first = splits.by_moment(interactions)
    before, after = (np.unique(interactions.users[mask & chosen]) for mask in (first, ~first))
    if len(np.intersect1d(before, after)) < FEWEST_KNOWN:
        first = splits.by_time(interactions, seed)
        return Division(first=first, histories=first, by_moment=False)
    is_new = ~np.isin(interactions.users, interactions.users[first])
    return Division(first=first, histories=first | (is_new & splits.by_time(interactions, seed, 0.5)), by_moment=True)


def halves(
    interactions: Interactions, chosen: Mask, division: Division, most_items: int, *, repeats: bool = False
) -> Halves:
    """What is learned from, and what is asked, about the most chosen items. A later choice of something seen is no
    test: it is not recommended.

    With `repeats` it is, and nothing counts as seen.
    """
    first, histories, _ = division
    items = most_chosen(interactions.only(first & chosen), most_items)
    known = np.isin(interactions.items, items)
    own, later = (interactions.only(mask & known).of_items(items) for mask in (histories, ~histories & chosen))
    seen, test = task(own, later, repeats=repeats)
    missed = interactions.only(~histories & chosen & ~known).matrix()
    return Halves(
        before=interactions.only(first & known).of_items(items),
        chosen=chosen[first & known],
        items=items,
        histories=interactions.only(histories & chosen).of_items(items),
        seen=seen,
        test=test,
        missed=np.diff(missed.indptr).astype(np.int64),
        met=np.unique(interactions.users[first]),
    )


def task(own: Interactions, later: Interactions, *, repeats: bool) -> tuple[Matrix, Matrix]:
    """What is not recommended to users, since it is their `own`, and what they chose `later` of all else, [u, m] each.

    With `repeats`, what is their own is recommended, too.
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
