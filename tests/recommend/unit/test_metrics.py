"""Ranking metrics, by hand and beside scikit-learn's."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import ndcg_score

from recommend.judgement import Figures
from recommend.metrics import evaluate, top_items


def matrix(*rows: str) -> sparse.csr_matrix:
    """A matrix with a row for each text of zeros and ones."""
    return sparse.csr_matrix([[float(sign) for sign in row] for row in rows])


def test_the_metrics_of_two_users_are_those_computed_by_hand() -> None:
    scores = np.array([[6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6]], np.float32)
    # The first user gets items 1 to 5; items 2 and 4 are right, at ranks 2 and 4, and item 0 was seen. The second gets
    # items 5 to 0, of which item 5 is right.
    found = evaluate(lambda users: scores[users], matrix("100000", "000000"), matrix("001010", "000001"))
    first = (1 / np.log2(3) + 1 / np.log2(5)) / (1 / np.log2(2) + 1 / np.log2(3))
    assert found.ndcg_of_users.tolist() == pytest.approx([first, 1.0])
    assert found.ndcg == pytest.approx((first + 1) / 2)
    assert found.precision == pytest.approx((2 / 10 + 1 / 10) / 2)
    assert found.recall == 1.0
    assert found.coverage == 1.0


def test_items_that_were_seen_are_missed() -> None:
    scores = np.array([[3, 2, 1]], np.float32)
    found = evaluate(lambda users: scores[users], matrix("100"), matrix("101"))
    assert found.recall == 0.5
    assert found.coverage == pytest.approx(2 / 3)
    listed = Figures.of(found, np.array([False, True, True]))
    assert (listed.coverage, listed.popular) == (1.0, 0.5), "both that may be recommended, each once"


def test_relevant_items_out_of_reach_are_missed() -> None:
    scores = np.array([[2, 1], [2, 1]], np.float32)
    found = evaluate(lambda users: scores[users], matrix("00", "00"), matrix("10", "00"), missed=np.array([1, 2]))
    assert found.ndcg_of_users.tolist() == pytest.approx([1 / (1 + 1 / np.log2(3)), 0])
    assert found.recall == 0.25
    assert found.found_by_users.tolist() == [True, False]
    assert Figures.of(found).found == 0.5


def test_ndcg_is_scikit_learns() -> None:
    chance = np.random.default_rng(5)
    scores = chance.random((40, 60)).astype(np.float32)
    relevant = chance.random((40, 60)) < 0.1
    relevant[0] = False
    found = evaluate(lambda users: scores[users], sparse.csr_matrix((40, 60)), sparse.csr_matrix(relevant))
    asked = relevant.any(axis=1)
    assert found.ndcg == pytest.approx(ndcg_score(relevant[asked], scores[asked], k=10), abs=1e-12)
    assert len(found.ndcg_of_users) == asked.sum()


def test_only_the_users_that_are_named_are_asked() -> None:
    scores = np.array([[2, 1], [1, 2], [2, 1]], np.float32)
    test = matrix("10", "10", "00")
    found = evaluate(lambda users: scores[users], matrix("00", "00", "00"), test, np.array([1, 2]))
    assert found.ndcg_of_users.tolist() == pytest.approx([1 / np.log2(3)])


def test_of_equal_scores_the_lower_number_comes_first_and_missing_places_are_minus_one() -> None:
    best = top_items(np.array([[1, 2, 2, 0]], np.float32), matrix("0001"), 4)
    assert best.tolist() == [[1, 2, 0, -1]]
