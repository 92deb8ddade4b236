"""Chooses a first stage's regularisation by the training rows that a benchmark leaves out."""

from typing import NamedTuple

from recommend.arrays import Mask
from recommend.interactions import Interactions
from recommend.learning import Learner
from recommend.metrics import evaluate
from recommend.splits import task


class Choice(NamedTuple):
    """A regularisation, and the NDCG that it reached."""

    regularisation: float
    ndcg: float


def choose(learner: Learner, training: Interactions, fitted: Mask) -> Choice:
    """The regularisation with the best NDCG on the rows outside of `fitted`, bool[n]."""
    rows = training.only(fitted)
    had, test = task(rows, training.only(~fitted), repeats=False)
    tried = [Choice(value, evaluate(learner.ranker(rows, value), had, test).ndcg) for value in learner.regularisations]
    return max(tried, key=lambda one: one.ndcg)
