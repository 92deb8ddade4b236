"""Chooses a first stage's setting by the training rows that a benchmark leaves out."""

from typing import NamedTuple

from recommend.arrays import Mask
from recommend.interactions import Interactions
from recommend.learning import Learner
from recommend.metrics import evaluate
from recommend.nearest import Setting
from recommend.splits import task


class Choice(NamedTuple):
    """A setting, and the NDCG that it reached."""

    setting: Setting
    ndcg: float


def choose(learner: Learner, training: Interactions, fitted: Mask) -> Choice:
    """The setting with the best NDCG on the rows outside of `fitted`, bool[n]."""
    rows = training.only(fitted)
    had, test = task(rows, training.only(~fitted), repeats=False)
    settings = learner.settings(rows.item_count)
    tried = [Choice(one, evaluate(learner.ranker(rows, one), had, test).ndcg) for one in settings]
    return max(tried, key=lambda one: one.ndcg)
