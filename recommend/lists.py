"""Lists of candidates for many users at once: to learn the ranking from, and to judge it by."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from recommend.arrays import Indices
from recommend.interactions import Histories, Matrix, items_of
from recommend.metrics import SCORES_TOGETHER, Ranker
from recommend.ranking import CANDIDATES, Candidates, FirstStageInputs, Numbers, Placed

LISTS_TOGETHER = 64
"""Lists whose inputs are computed in one call."""


@dataclass(frozen=True, kw_only=True)
class Lists:
    """A list for each of the `users`, int64[l]: n candidates together, with the number of their list `of`, int64[n],
    ascending and best first, the `items`, int64[n], and their `first_stage` inputs, float64[n, k].
    """

    users: Indices
    of: Indices
    items: Indices
    first_stage: Numbers

    @classmethod
    def offered(
        cls, ranker: Ranker, histories: Histories, had: Matrix, users: Indices, inputs: FirstStageInputs
    ) -> Self:
        """What a first stage, the `ranker`, offers to one user or more with these histories, except what is in `had`,
        [u, m].
        """
        lists: list[Candidates] = []
        together = max(1, SCORES_TOGETHER // had.shape[1])
        for number, user in enumerate(users):
            if number % together == 0:
                scores = ranker(users[number : number + together])
            every = scores[number % together].astype(np.float64)
            every[items_of(had, user)] = -np.inf
            history = histories(user)
            found = inputs.candidates(every, history, CANDIDATES)
            lists.append(Candidates(history, found, every[found], user={}))
        placed = Placed.together(lists)
        blocks = [lists[start : start + LISTS_TOGETHER] for start in range(0, len(lists), LISTS_TOGETHER)]
        first_stage = np.concatenate([inputs.of(Placed.together(block)) for block in blocks])
        return cls(users=users, of=placed.of, items=placed.items, first_stage=first_stage)

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """The lists of several parts."""
        before = np.cumsum([0, *(len(part.users) for part in parts)])
        return cls(
            users=np.concatenate([part.users for part in parts]),
            of=np.concatenate([part.of + first for part, first in zip(parts, before, strict=False)]),
            items=np.concatenate([part.items for part in parts]),
            first_stage=np.concatenate([part.first_stage for part in parts]),
        )

    def places(self, scores: Numbers) -> Indices:
        """The place of each candidate in its list, int64[n] from 0, by `scores`, float64[n]."""
        order = np.lexsort((-scores, self.of))
        places = np.empty(len(order), np.int64)
        starts = np.searchsorted(self.of, np.arange(len(self.users)))
        places[order] = np.arange(len(order)) - starts[self.of]
        return places
