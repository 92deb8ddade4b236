"""Weights between items, summed by the kernel, and the best scores: to the last bit what NumPy gives."""

import numpy as np
import pytest

from recommend import ranking
from recommend.first_stage import ItemWeights
from recommend.recommender import Recommender
from scoring.model.model import KernelWeights, best_of, with_kernel
from tests.support.kernels import built_kernel
from tests.support.recommenders import ITEM_TO_ITEM, ITEMS

MANY = 700


@pytest.mark.parametrize("largest", [1, 40, MANY])
@pytest.mark.parametrize("chosen", [0, 1, 2, 100])
def test_the_kernel_gives_what_numpy_gives(largest: int, chosen: int) -> None:
    chance = np.random.default_rng(chosen)
    dense = np.round(chance.normal(size=(MANY, MANY)), 1)  # rounded, so that there are equal weights
    plain = ItemWeights.cut(dense, largest)
    ours = KernelWeights(others=plain.others, weights=plain.weights, kernel=built_kernel())
    history = np.sort(chance.choice(MANY, chosen, replace=False))
    assert ours.scores(history).tolist() == plain.scores(history).tolist()
    best = np.argsort(-plain.scores(history), kind="stable")[:20]
    reasons = ours.reasons(history, best, 2)
    assert reasons == plain.reasons(history, best, 2)
    assert [*map(len, reasons)].count(2) > 15 or largest < MANY or chosen < 100


def test_a_history_of_other_items_is_refused() -> None:
    plain = ItemWeights.cut(ITEM_TO_ITEM)
    ours = KernelWeights(others=plain.others, weights=plain.weights, kernel=built_kernel())
    for item in (-1, len(ITEMS)):
        with pytest.raises(ValueError, match="not of these items"):
            ours.scores(np.array([item]))
        with pytest.raises(ValueError, match="not of these items"):
            ours.reasons(np.array([item]), np.array([0]), 1)


@pytest.mark.parametrize("top", [1, 10, 100, MANY, MANY + 1])
def test_the_best_scores_are_those_of_numpy(top: int) -> None:
    chance = np.random.default_rng(top)
    scores = np.round(chance.normal(size=MANY), 1)  # rounded, so that many are equal
    scores[chance.choice(MANY, 50, replace=False)] = -np.inf
    for own in (scores, np.sort(scores), np.full(MANY, -np.inf)):
        assert best_of(built_kernel(), own, top).tolist() == ranking.best_of(own, top).tolist()


def test_without_a_kernel_numpy_sums() -> None:
    recommender = Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM))
    assert with_kernel(recommender, None) is recommender
    assert isinstance(with_kernel(recommender, built_kernel()).first_stage, KernelWeights)
