"""Weights from each item's nearest ones, beside those from all items and computations by hand."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from recommend import nearest
from recommend.first_stage import LARGEST, ItemWeights
from recommend.learning import Ease, item_weights, together
from recommend.nearest import Setting, as_matrix, ridge, similar
from tests.recommend.unit.test_rankers import interactions


def chosen(users: int = 80, items: int = 30, share: float = 0.4, seed: int = 1) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.random.default_rng(seed).random((users, items)) < share).astype(np.float64))


@pytest.mark.parametrize("setting", [Setting(7.0), Setting(3.0, 0.75), Setting(400.0, 0.75)])
def test_from_all_other_items_they_are_those_of_all_pairs(setting: Setting) -> None:
    seen = chosen()
    assert ((seen.T @ seen).toarray() > 0).all(), "each two items were chosen together"
    (found,) = ridge(seen, [setting._replace(nearest=seen.shape[1] - 1)])
    np.testing.assert_allclose(as_matrix(found).toarray(), item_weights(seen, setting), atol=1e-6)


def test_the_penalty_grows_with_an_items_choices_as_in_a_ridge_regression_on_scaled_columns() -> None:
    seen = chosen(items=8)
    counts = np.asarray(seen.sum(axis=0)).ravel()
    weights = item_weights(seen, Setting(2.0, 0.75))
    for item in range(8):
        others = np.arange(8) != item
        scales = counts[others] ** (0.75 / 2)
        fitted = Ridge(alpha=2.0, fit_intercept=False).fit(seen.toarray()[:, others] / scales, seen.toarray()[:, item])
        assert weights[others, item] == pytest.approx(fitted.coef_ / scales)


def test_the_nearest_are_by_the_cosine_and_fewer_are_the_first_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "PAIRS_TOGETHER", 50)
    seen = chosen(share=0.2)
    gram = (seen.T @ seen).toarray()
    cosines = gram / np.sqrt(np.outer(gram.diagonal(), gram.diagonal()))
    np.fill_diagonal(cosines, 0)
    two, five = ridge(seen, [Setting(10.0, nearest=2), Setting(10.0, nearest=5)])
    for item in range(seen.shape[1]):
        own, more = (np.flatnonzero(as_matrix(one).toarray()[:, item]) for one in (two, five))
        assert cosines[own, item].min() >= np.sort(cosines[:, item])[-2] - 1e-12
        assert set(own) <= set(more)
        assert len(more) == 5
        solved = np.linalg.solve(gram[np.ix_(more, more)] + 10 * np.eye(5), gram[more, item])
        assert as_matrix(five).toarray()[more, item] == pytest.approx(solved, rel=1e-5)


def test_counts_that_neither_item_kept_may_leave_no_solution_and_the_penalty_rises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nearest, "KEPT", 3)
    seen = chosen(share=0.9)
    (found,) = ridge(seen, [Setting(0.1, nearest=20)])
    assert np.isfinite(found.weights).all()
    assert np.abs(found.weights).max() < 5


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(np.eye(40), id="every item once"),
        pytest.param(np.ones((40, 30)), id="all users alike"),
        pytest.param(np.column_stack([np.arange(100) < 90, chosen(100, 20, 0.1).toarray()]), id="an item of many"),
        pytest.param(np.zeros((3, 2)), id="no choice"),
        pytest.param(np.ones((5, 1)), id="one item"),
    ],
)
def test_weights_are_finite_and_of_other_items(seen: np.ndarray) -> None:  # type: ignore[type-arg]
    matrix = sparse.csr_matrix(seen.astype(np.float64))
    for found in (*ridge(matrix, [Setting(30.0, nearest=50), Setting(3.0, 0.75, 50)]), similar(matrix)):
        assert found.items == seen.shape[1]
        dense = as_matrix(found).toarray()
        assert np.isfinite(dense).all()
        assert not dense.diagonal().any()
        assert bool(dense.any()) is bool(((matrix.T @ matrix).toarray() - np.diag(seen.sum(axis=0))).any())


def test_an_item_that_many_others_are_near_to_keeps_the_largest_weights() -> None:
    """Each of 600 items was chosen by one user, with item 0, more often the higher its number."""
    who = np.repeat(np.arange(600), 2)
    what = np.column_stack([np.zeros(600, np.int64), np.arange(1, 601)]).ravel()
    (found,) = ridge(sparse.csr_matrix((np.ones(1_200), (who, what))), [Setting(0.5, nearest=5)])
    assert len(found.others[: found.starts[1]]) == LARGEST


def test_the_latest_choices_of_a_user_count() -> None:
    rows = interactions(*((0, item, 1, day) for day, item in enumerate([3, 1, 2, 0])), (1, 1, 1, 0))
    assert rows.latest(2).items.tolist() == [2, 0, 1]
    drawn = [set(rows.only(np.arange(4)).latest(2).items.tolist()) for _ in range(2)]
    assert drawn[0] == drawn[1] == {0, 2}


def test_all_pairs_of_a_user_with_very_many_choices_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MOST_PAIRED_ITEMS", 3)
    monkeypatch.setattr(nearest, "LATEST", 2)
    rows = interactions(*((user, item, 1, item) for user in range(3) for item in range(4)))
    weights = Ease().fit(rows, Setting(1.0, nearest=3))
    assert as_matrix(weights).toarray()[:2].tolist() == [[0] * 4] * 2, "the first two items are earlier ones"
    assert as_matrix(weights).toarray()[2, 3] == pytest.approx(3 / (3 + 1))  # by hand: both by three users, lambda 1


def test_similarities_are_known_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = chosen(items=12, share=0.3)
    who, what = seen.nonzero()
    rows = interactions(
        *((int(user), int(item), 1, 0) for user, item in zip(who, what, strict=True)), users=80, items=12
    )
    few = similar(nearest.paired(rows))
    monkeypatch.setattr(nearest, "MOST_PAIRED_ITEMS", 3)
    assert vars(similar(nearest.paired(rows))).keys() == vars(few).keys()
    assert as_matrix(similar(nearest.paired(rows))).toarray().tolist() == as_matrix(few).toarray().tolist()
    assert together(rows) is None
    assert isinstance(few, ItemWeights)
