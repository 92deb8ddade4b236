"""Learns first stages from choices, and chooses the kind and its regularisation by others that were left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np

from recommend.arrays import Indices, Mask, Scores
from recommend.first_stage import FirstStage
from recommend.held_out import task
from recommend.interactions import Interactions, Matrix, items_of
from recommend.metrics import Ranker, evaluate

FITTED_SHARE = 0.9
"""Share of the training rows from which first stages are fitted while one is chosen by the others."""

Learned: TypeAlias = Callable[[Interactions], Ranker]
"""Learns from choices how to rank items for their users."""


class Learner(Protocol):
    """Learns one kind of a first stage."""

    @property
    def name(self) -> str:
        """What a report calls the kind."""
        ...

    @property
    def most_items(self) -> int:
        """The most items that it can learn about."""
        ...

    @property
    def regularisations(self) -> tuple[float, ...]:
        """The values to choose from, ascending."""
        ...

    def fit(self, training: Interactions, regularisation: float) -> FirstStage:
        """The first stage to serve."""
        ...

    def ranker(self, training: Interactions, regularisation: float) -> Ranker:
        """Ranks items for the users of `training` as the first stage would, or a little better: it need not be cut."""
        ...


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A learner and its regularisation. `reached` has the best NDCG of each kind that was compared, by its name."""

    learner: Learner
    regularisation: float
    reached: dict[str, float]

    @property
    def learned(self) -> Learned:
        """The learner with this regularisation."""
        return partial(self.learner.ranker, regularisation=self.regularisation)


def ranker(first_stage: FirstStage, chosen: Matrix) -> Ranker:
    """Ranks items by a first stage, from all items that a user chose in `chosen`, [u, m]: what is served."""

    def scores(users: Indices) -> Scores:
        return np.stack([first_stage.scores(items_of(chosen, user)) for user in users]).astype(np.float32)

    return scores


def choose(
    learners: Sequence[Learner],
    training: Interactions,
    fitted: Mask,
    users: Indices | None = None,
    *,
    repeats: bool = False,
) -> Choice:
    """The kind and the regularisation with the best NDCG on the rows outside of `fitted`, bool[n], for `users` or all.

    With `repeats`, users are recommended again what they chose. If no choices are left, it is the first kind.
    """
    rows = training.only(fitted)
    had, test = task(rows, training.only(~fitted), repeats=repeats)
    if not np.diff(test.indptr)[slice(None) if users is None else users].any():
        return Choice(learner=learners[0], regularisation=learners[0].regularisations[1], reached={})
    tried = [
        (evaluate(learner.ranker(rows, value), had, test, users).ndcg, learner, value)
        for learner in learners
        for value in learner.regularisations
    ]
    _, learner, regularisation = max(tried, key=lambda one: one[0])
    reached = {one.name: max(ndcg for ndcg, other, _ in tried if other is one) for one in learners}
    return Choice(learner=learner, regularisation=regularisation, reached=reached)
