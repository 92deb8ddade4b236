"""Who chose which item, and when."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
from scipy import sparse

from recommend.arrays import Indices, Mask, Numbers
from recommend.first_stage import Kinds, last_of_each, strengths

FEW = 2
"""Users without whom a share of an item is that of all items."""
SECONDS_A_DAY = 86_400.0
LATE = 0.999
"""The share of choices until the time at which ages count: a wrong date in the future makes no other choice older."""
LEAST = -500.0
"""Half-lives beyond which nothing counts less, so that no item is left without choices."""
Matrix: TypeAlias = sparse.csr_matrix
Histories: TypeAlias = Callable[[int], Indices]
"""The items that the user with a number chose, int64[h]."""


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """n interactions of `user_count` users with `item_count` items, both numbered from 0: int64[n] each.

    `values`, float64[n], are ratings, or 1 where there are none; `times` are seconds, float64[n], None without times.
    `kinds`, int8[n], are places in an order of events, 0 the strongest, None where there is one kind; `baskets`,
    int64[n], number what was chosen together, -1 for none, None where nobody knows. `visits`, int64[n], are those of
    `recommend.splits.visits_of`, by which rows are divided. A choice of a kind counts `weaker` times one of the kind
    before it. The last `one_time` users are none who come back. `listed`, bool[m], says which items may be recommended,
    None for all.
    """

    users: Indices
    items: Indices
    values: Numbers
    times: Numbers | None
    user_count: int
    item_count: int
    kinds: Kinds | None = None
    baskets: Indices | None = None
    visits: Indices | None = None
    weaker: float = 1.0
    one_time: int = 0
    listed: Mask | None = None

    def __len__(self) -> int:
        return len(self.users)

    def only(self, rows: Mask | Indices) -> Self:
        """The interactions for which a mask, bool[n], is true, or those at these places; the numbers of users and items
        stay.
        """
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            values=self.values[rows],
            times=None if self.times is None else self.times[rows],
            kinds=None if self.kinds is None else self.kinds[rows],
            baskets=None if self.baskets is None else self.baskets[rows],
            visits=None if self.visits is None else self.visits[rows],
        )

    def come_back(self, users: Indices) -> Mask:
        """Which of these users, bool[u], are not one-time ones."""
        return users < self.user_count - self.one_time

    def strongest(self) -> Self:
        """The interactions of the strongest kind alone."""
        return self if self.kinds is None else self.only(self.kinds == 0)

    def wanted(self) -> Self:
        """What a recommender is asked for: the strongest choices, of users who come back, of items that are listed."""
        kept = self.strongest()
        is_wanted = kept.come_back(kept.users)
        return kept.only(is_wanted if self.listed is None else is_wanted & self.listed[kept.items])

    def of_items(self, items: Indices) -> Self:
        """The interactions with these items, which get new numbers in their order."""
        numbers = np.full(self.item_count, -1, dtype=np.int64)
        numbers[items] = np.arange(len(items))
        kept = self.only(numbers[self.items] >= 0)
        listed = None if self.listed is None else self.listed[items]
        return replace(kept, items=numbers[kept.items], item_count=len(items), listed=listed)

    def in_order(self) -> Self:
        """The rows by user, item, time and kind: in an order that does not depend on the one in which they were read.

        Without times a user's weaker choices of an item are left out, which would tell of a stronger one that is held
        out.
        """
        finer = [one for one in (self.kinds, self.times) if one is not None]
        rows = self.only(np.lexsort((*finer, self.items, self.users)))
        if rows.kinds is None or rows.times is not None:
            return rows
        pairs = rows.users * rows.item_count + rows.items
        return rows.only(rows.kinds == rows.kinds[np.searchsorted(pairs, pairs)])

    def once(self) -> Self:
        """The rows by user and time, of each user and item the last one."""
        rows = self.only(self.by_user())
        order = np.lexsort((np.arange(len(rows)), rows.items, rows.users))
        return rows.only(np.sort(order[last_of_each(rows.users[order], rows.items[order])]))

    def by_user(self) -> Indices:
        """The places of the rows by user and time, without times in the order in which they are."""
        order: Indices = np.lexsort((np.arange(len(self)) if self.times is None else self.times, self.users))
        return order

    def latest(self, most: int) -> Self:
        """The latest `most` rows of each user, without times some at random, the same ones each time."""
        timed = self.times is not None
        order = self.by_user() if timed else np.lexsort((np.random.default_rng(0).random(len(self)), self.users))
        users = self.users[order]
        later = np.searchsorted(users, users, side="right") - np.arange(len(users))
        return self.only(np.sort(order[later <= most]))

    def of_users(self, users: Indices) -> Self:
        """The interactions of these users, int64[u]."""
        is_asked = np.zeros(self.user_count, np.bool_)
        is_asked[users] = True
        return self.only(is_asked[self.users])

    def histories(self) -> Histories:
        """What each user chose, the latest last if there are times, and an item as often as it was chosen."""
        order = self.by_user()
        items, starts = self.items[order], np.searchsorted(self.users[order], np.arange(self.user_count + 1))
        return lambda user: items[starts[user] : starts[user + 1]]

    @property
    def strengths(self) -> Numbers:
        """What each choice counts by its kind, float64[n]."""
        return np.broadcast_to(strengths(self.weaker, self.kinds), len(self))

    @property
    def decayed(self) -> Callable[[float], Numbers]:
        """What each choice counts by its kind and by a half-life in choices of its user, float64[n].

        Without times the half-life has no effect.
        """
        order = self.by_user()
        users = self.users[order]
        ages = np.empty(len(self))
        ages[order] = np.searchsorted(users, users, side="right") - 1 - np.arange(len(users))
        timed = self.times is not None
        return lambda half_life: self.strengths * (np.exp2(-ages / half_life) if half_life and timed else 1.0)

    @property
    def ages(self) -> Numbers:
        """The age of each choice in days, float64[n], at the time until which there are `LATE` of them; 0 if they have
        no times.
        """
        if self.times is None or not len(self):
            return np.zeros(len(self))
        return np.maximum(np.quantile(self.times, LATE, method="lower") - self.times, 0) / SECONDS_A_DAY

    def recent(self, half_life: float = 0.0) -> Numbers:
        """How often each item was chosen, float64[m], of late: half as much for each `half_life` in days; 0 is never.

        Without times it has no effect.
        """
        counts = self.strengths * (np.exp2(np.maximum(-self.ages / half_life, LEAST)) if half_life else 1.0)
        return np.bincount(self.items, counts, self.item_count).astype(np.float64, copy=False)

    def again(self) -> Numbers:
        """The share of the users who chose an item that did so again, float64[m], of few ones nearer to that of all.

        One-time users can't.
        """
        rows = self.only(self.come_back(self.users))
        pairs = rows.matrix(np.ones(len(rows)))
        users, repeated = (
            np.bincount(pairs.indices, of, self.item_count) for of in (np.ones(pairs.nnz), pairs.data > 1)
        )
        of_all: Numbers = (repeated + FEW * repeated.sum() / max(pairs.nnz, 1)) / (users + FEW)
        return of_all

    def matrix(self, values: Numbers | None = None) -> Matrix:
        """The sum of `values`, float64[n], by user and item, as a sparse float64[users, items].

        Without `values`, what a choice of the strongest kind counts: an item counts once, however often it was chosen.
        """
        if values is None:
            return self.largest(self.strengths)
        shape = (self.user_count, self.item_count)
        return sparse.coo_matrix((values, (self.users, self.items)), shape).tocsr()

    def largest(self, values: Numbers) -> Matrix:
        """The largest of `values`, float64[n], by user and item, as a sparse float64[users, items]."""
        order = np.lexsort((values, self.items, self.users))
        users, items = self.users[order], self.items[order]
        last = last_of_each(users, items)
        found = replace(self, users=users[last], items=items[last]).matrix(values[order][last])
        found.eliminate_zeros()
        return found


def items_of(matrix: Matrix, user: int) -> Indices:
    """The items of a user in a sparse matrix [users, items]. A row as a matrix of its own takes fifty times as long."""
    found: Indices = matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]
    return found
