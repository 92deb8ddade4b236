"""Popularity, SAR and EASE, each beside an independent computation."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.metrics import jaccard_score

from recommend.first_stage import ItemWeights
from recommend.interactions import Interactions
from recommend.learning import Ease, item_weights
from recommend.metrics import popularity, sar
from recommend.nearest import Setting

DAYS = 86_400.0


def interactions(*rows: tuple[int, int, float, float], users: int = 3, items: int = 4) -> Interactions:
    """Interactions from rows of user, item, rating and days."""
    who, what, values, days = zip(*rows, strict=True)
    return Interactions(
        users=np.array(who),
        items=np.array(what),
        values=np.array(values, np.float64),
        times=np.array(days) * DAYS,
        user_count=users,
        item_count=items,
    )


FEW = interactions((0, 0, 5, 0), (0, 1, 3, 30), (1, 0, 4, 60), (1, 2, 2, 60), (2, 1, 1, 0), (2, 0, 5, 60))


def chosen(users: int = 60, items: int = 12) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.random.default_rng(1).random((users, items)) < 0.3).astype(np.float64))


def test_popularity_counts_interactions() -> None:
    assert popularity(FEW)(np.array([0, 2])).tolist() == [[3, 2, 1, 0], [3, 2, 1, 0]]


def test_sar_is_affinity_halved_every_thirty_days_times_jaccard_similarity() -> None:
    # User 0 rated item 0 with 5 two months before the end and item 1 with 3 one month before: affinities 1.25 and 1.5.
    who = FEW.matrix().toarray().T
    similarity = np.array([[jaccard_score(one, other, zero_division=0) for one in who] for other in who])
    expected = 1.25 * similarity[0] + 1.5 * similarity[1]
    assert sar(FEW)(np.array([0]))[0].tolist() == pytest.approx(expected.tolist())
    # By hand: items 0 and 1 share two of three users, items 0 and 2 one of three, items 1 and 2 none.
    assert expected.tolist() == pytest.approx([1.25 + 1.5 * 2 / 3, 1.25 * 2 / 3 + 1.5, 1.25 / 3, 0])


@pytest.mark.parametrize("together", [1, 5, 1_000])
def test_the_weights_of_ease_are_those_of_a_ridge_regression_on_all_other_items(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommend.learning.ROWS_TOGETHER", together)
    seen = chosen()
    weights = item_weights(seen, Setting(7.0))
    dense = seen.toarray()
    for item in range(dense.shape[1]):
        others = np.delete(dense, item, axis=1)
        ridge = Ridge(alpha=7.0, fit_intercept=False).fit(others, dense[:, item])
        assert np.delete(weights[:, item], item) == pytest.approx(ridge.coef_)
    assert np.diagonal(weights).tolist() == [0] * dense.shape[1]


def test_cut_weights_keep_the_largest_of_each_row() -> None:
    weights = ItemWeights.cut(np.array([[0, 0.5, -0.75], [0.25, 0, 0.125], [-1, 2, 0]]), 1)
    assert weights.starts.tolist() == [0, 1, 2, 3]
    assert weights.others.tolist() == [2, 0, 1]
    assert weights.weights.tolist() == [-0.75, 0.25, 2]
    assert weights.scores(np.array([0, 2])).tolist() == [0, 2, -0.75]
    assert weights.scores(np.array([], np.int64)).tolist() == [0, 0, 0]


def test_uncut_weights_score_as_ease_does() -> None:
    seen = chosen()
    rows, items = seen.nonzero()
    training = interactions(*((user, item, 1, 0) for user, item in zip(rows, items, strict=True)), users=60, items=12)
    weights = ItemWeights.cut(item_weights(seen, Setting(50.0)))
    for user, scores in enumerate(Ease().ranker(training, Setting(50.0))(np.arange(60))):
        assert weights.scores(seen[user].indices.astype(np.int64)) == pytest.approx(scores, abs=2e-3)


def test_an_item_counts_once_however_often_it_was_chosen() -> None:
    again = interactions((0, 0, 1, 0), (0, 0, 1, 0), (1, 2, 1, 0))
    assert again.matrix().toarray().max() == 1
    assert again.matrix(again.values).toarray().max() == 2
