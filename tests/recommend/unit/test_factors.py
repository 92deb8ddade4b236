"""Factors of items: what is solved from a history, beside dense algebra and the library's own solution."""

from pathlib import Path

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares as Implicit
from threadpoolctl import threadpool_limits

from features.bundle import BundleError
from recommend import learning
from recommend.first_stage import FACTORS, ItemFactors, ItemWeights
from recommend.interactions import Interactions
from recommend.learning import AlternatingLeastSquares, noise
from recommend.recommender import Recommender, read_golden
from tests.recommend.unit.test_recommender import no_model

NOTHING = np.empty(0, np.int64)
HAND = ItemFactors(factors=np.array([[1], [2], [0], [-1]], np.float32), regularisation=2.0, confidence=5.0)
"""The squares sum up to 6."""


def drawn(items: int = 300, dimensions: int = 64) -> ItemFactors:
    factors = np.random.default_rng(3).normal(size=(items, dimensions)).astype(np.float32)
    return ItemFactors.rounded(factors, 2.0)


def test_likeness_is_from_0_to_1() -> None:
    corners = ItemFactors(factors=np.array([[1, 0], [3, 3], [-1, 0], [0, 0]], np.float32), regularisation=1.0)
    expected = [[1, 0.5**0.5, 0, 0], [0.5**0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert corners.likeness(np.arange(4)) == pytest.approx(np.array(expected))
    # Of items 0 and 1: 0.25 + 0.5; of 1 and 2: 0.25; of 0 and 2 less than nothing.
    weights = ItemWeights.cut(np.array([[0.0, 0.25, -1.0], [0.5, 0.0, 0.25], [0.5, 0.0, 0.0]]))
    assert weights.likeness(np.array([2, 1, 0])) == pytest.approx(np.array([[0, 1 / 3, 0], [1 / 3, 0, 1], [0, 1, 0]]))


def test_a_history_is_solved_by_hand() -> None:
    # (6 + 4 x 1 + 2) x = 5 x 1
    assert HAND.scores(np.array([0])).tolist() == pytest.approx([5 / 12, 10 / 12, 0, -5 / 12], rel=1e-4)
    # (6 + 4 x (1 + 4) + 2) x = 5 x (1 + 2)
    assert HAND.scores(np.array([0, 1])).tolist() == pytest.approx([15 / 28, 30 / 28, 0, -15 / 28], rel=1e-4)
    assert HAND.scores(NOTHING).tolist() == [0, 0, 0, 0]
    assert HAND.reasons(np.array([0, 1, 3]), np.array([1, 3, 2]), 2) == [[0], [], []]
    assert HAND.reasons(NOTHING, np.array([1]), 2) == [[]]


def test_regularisation_may_grow_with_the_history() -> None:
    each = ItemFactors(factors=HAND.factors, regularisation=2.0, of_each_choice=True, confidence=5.0)
    assert each.scores(np.array([0, 1]))[0] == pytest.approx(15 / 30, rel=1e-4)
    assert each.scores(np.array([0])).tolist() == HAND.scores(np.array([0])).tolist()


@pytest.mark.parametrize("length", [1, 7, 200])
def test_scores_are_those_of_the_dense_system_with_a_confidence_for_each_item(length: int) -> None:
    found = drawn()
    vectors = found.factors.astype(np.float64)
    history = np.random.default_rng(length).permutation(len(vectors))[:length]
    chosen = np.isin(np.arange(len(vectors)), history)
    confidence = np.diag(np.where(chosen, found.confidence, 1.0))
    system = vectors.T @ confidence @ vectors + found.regularisation * np.eye(vectors.shape[1])
    user = np.linalg.inv(system) @ vectors.T @ confidence @ chosen
    assert found.scores(history).tolist() == pytest.approx((vectors @ user).tolist(), abs=1e-3)
    added = found.confidence * vectors @ np.linalg.inv(system) @ vectors[history].T
    assert added.sum(axis=1) == pytest.approx(vectors @ user)
    best = np.flatnonzero(~chosen)[:20]
    expected = [[int(history[place]) for place in np.argsort(-row)[:2] if row[place] > 0] for row in added[best]]
    assert found.reasons(history, best, 2) == expected


def test_sums_do_not_depend_on_their_order() -> None:
    found = drawn(2_000)
    turned = ItemFactors(factors=np.ascontiguousarray(found.factors[:, ::-1]), regularisation=2.0)
    for history in (np.array([5]), np.arange(40), np.arange(2_000)):
        assert found.scores(history).tolist() == turned.scores(history).tolist()


def test_rounding_keeps_about_three_digits() -> None:
    factors = np.random.default_rng(1).normal(size=(500, 8)).astype(np.float32)
    rounded = ItemFactors.rounded(factors, 1.0).factors
    assert np.abs(rounded - factors).max() <= np.abs(factors).max() / 1_000
    assert ItemFactors.rounded(np.zeros((3, 2), np.float32), 1.0).scores(np.array([1])).tolist() == [0, 0, 0]


def choices(users: int = 80, items: int = 40) -> Interactions:
    """Users who choose most items of their own half."""
    chance = np.random.default_rng(6)
    who, what = np.nonzero(
        chance.random((users, items)) < np.where(np.add.outer(np.arange(users), np.arange(items)) % 2, 0.05, 0.6)
    )
    return Interactions(users=who, items=what, values=np.ones(len(who)), times=None, user_count=users, item_count=items)


def test_a_new_user_is_solved_as_the_library_solves_one() -> None:
    training = choices()
    matrix = training.matrix().astype(np.float32)
    with threadpool_limits(1, user_api="blas"):
        model = Implicit(factors=8, regularization=3.0, alpha=4.0, random_state=1)
        model.fit(matrix, show_progress=False)
    found = ItemFactors(factors=model.item_factors, regularisation=3.0, confidence=4.0)
    for user in range(5):
        theirs = model.item_factors @ model.recalculate_user(user, matrix[user])
        assert found.scores(matrix[user].indices.astype(np.int64)).tolist() == pytest.approx(theirs.tolist(), abs=1e-3)


def test_factors_know_the_taste_of_a_user_whom_they_have_not_met_and_are_the_same_again() -> None:
    training = choices()
    learner = AlternatingLeastSquares(seed=4)
    found = learner.fit(training, 0.7)
    scores = found.scores(np.array([0, 2, 4]))
    assert scores[6::2].min() > scores[1::2].max()
    assert np.array_equal(found.factors, learner.fit(training, 0.7).factors)
    assert found.regularisation == pytest.approx(5 * 0.7 * noise(training))


def test_noise_is_about_the_largest_singular_value_of_choices_at_random() -> None:
    chance = np.random.default_rng(8)
    users, items = np.nonzero(chance.random((400, 150)) < 0.1)
    rows = Interactions(
        users=users, items=items, values=np.ones(len(users)), times=None, user_count=500, item_count=200
    )
    around = rows.matrix().toarray()[:400, :150] - 0.1
    assert noise(rows) == pytest.approx(np.linalg.norm(around, 2), rel=0.1)


def test_factors_are_saved_mapped_and_reproduce_their_golden_requests(tmp_path: Path) -> None:
    made = Recommender(items=[f"i{item}" for item in range(300)], first_stage=drawn())
    made.save(tmp_path / "recommend", seed=7)
    loaded = Recommender.load(tmp_path / "recommend", no_model)
    assert isinstance(loaded.first_stage, ItemFactors)
    assert isinstance(loaded.first_stage.factors.base, np.memmap)
    assert loaded.golden(7) == read_golden(tmp_path / "recommend")
    assert any(item.because for item in loaded.recommend(np.array([1, 2]), 10, NOTHING))


def test_factors_of_other_items_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recommend"
    Recommender(items=[f"i{item}" for item in range(300)], first_stage=drawn()).save(folder, seed=7)
    np.save(folder / FACTORS, np.zeros((299, 64), np.float32))
    with pytest.raises(BundleError, match="not of 300 items"):
        Recommender.load(folder, no_model)


def test_a_sample_has_whole_users_and_ranks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    training = choices()
    assert len(learning.sample(training)) == len(training)
    monkeypatch.setattr(learning, "ENOUGH", len(training) // 4)
    few = learning.sample(training)
    assert len(few) == pytest.approx(len(training) / 4, rel=0.5)
    assert few.matrix()[np.unique(few.users)].nnz == training.matrix()[np.unique(few.users)].nnz
    scores = AlternatingLeastSquares(seed=4).ranker(training, 0.7)(np.arange(80))
    assert all(own[user % 2 :: 2].mean() > own[1 - user % 2 :: 2].mean() for user, own in enumerate(scores))
