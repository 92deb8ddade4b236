"""Who chose which item, and when."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recommend.arrays import Indices, Mask

Matrix: TypeAlias = sparse.csr_matrix
Histories: TypeAlias = Callable[[int], Indices]
"""The items that the user with a number chose, int64[h]."""


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """n interactions of `user_count` users with `item_count` items, both numbered from 0: int64[n] each.

    `values`, float64[n], are ratings, or 1 where there are none; `times` are seconds, float64[n], None without times.
    `kinds`, int8[n], are places in an order of events, 0 the strongest, None where there is one kind; `baskets`,
    int64[n], number what was chosen together, -1 for none, None where nobody knows.
    """

    users: Indices
    items: Indices
    values: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64] | None
    user_count: int
    item_count: int
    kinds: npt.NDArray[np.int8] | None = None
    baskets: Indices | None = None

    def __len__(self) -> int:
        return len(self.users)

    def only(self, rows: Mask | Indices) -> Self:
        """The interactions for which a mask, bool[n], is true, or those at these places; the numbers of users and items
        stay.
        """
        kept = {"users": self.users, "items": self.items, "values": self.values, "times": self.times}
        kept |= {"kinds": self.kinds, "baskets": self.baskets}
        return replace(self, **{name: None if one is None else one[rows] for name, one in kept.items()})

    def strongest(self) -> Self:
        """The interactions of the strongest kind alone."""
        return self if self.kinds is None else self.only(self.kinds == 0)

    def of_items(self, items: Indices) -> Self:
        """The interactions with these items, which get new numbers in their order."""
        numbers = np.full(self.item_count, -1, dtype=np.int64)
        numbers[items] = np.arange(len(items))
        kept = self.only(numbers[self.items] >= 0)
        return replace(kept, items=numbers[kept.items], item_count=len(items))

    def in_order(self) -> Self:
        """The rows by user, item and time: in an order that does not depend on the one in which they were read."""
        times = () if self.times is None else (self.times,)
        return self.only(np.lexsort((*times, self.items, self.users)))

    def by_user(self) -> Indices:
        """The places of the rows by user and time, without times in the order in which they are."""
        order: Indices = np.lexsort((np.arange(len(self)) if self.times is None else self.times, self.users))
        return order

    def histories(self) -> Histories:
        """What each user chose, the latest last if there are times, and an item as often as it was chosen."""
        order = self.by_user()
        items, starts = self.items[order], np.searchsorted(self.users[order], np.arange(self.user_count + 1))
        return lambda user: items[starts[user] : starts[user + 1]]

    def matrix(self, values: npt.NDArray[np.float64] | None = None) -> Matrix:
        """The sum of `values`, float64[n], by user and item, as a sparse float64[users, items].

        Without `values`, 1 where there is any interaction: an item counts once, however often it was chosen.
        """
        shape = (self.user_count, self.item_count)
        ones = np.ones(len(self))
        summed = sparse.coo_matrix((ones if values is None else values, (self.users, self.items)), shape).tocsr()
        if values is None:
            summed.data[:] = 1
        return summed


def items_of(matrix: Matrix, user: int) -> Indices:
    """The items of a user in a sparse matrix [users, items]. A row as a matrix of its own takes fifty times as long."""
    found: Indices = matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]
    return found
