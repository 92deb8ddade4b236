"""The splits are those that the recommenders project makes with pandas."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from recommend import splits
from recommend.interactions import Interactions
from recommend.splits import Division, divide, halves


def some(rows: int = 400) -> Interactions:
    chance = np.random.default_rng(3)
    return Interactions(
        users=chance.integers(0, 30, rows),
        items=chance.integers(0, 50, rows),
        values=np.ones(rows),
        times=chance.integers(0, 100, rows).astype(np.float64),
        user_count=30,
        item_count=50,
    )


def by_pandas(interactions: Interactions, column: str, order: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """As `python_stratified_split` does: sort by group and order, take the first round(0.75 n) of each group."""
    frame = pd.DataFrame({"user": interactions.users, "item": interactions.items, "order": order})
    frame = frame.sort_values([column, "order"], kind="stable")
    sizes = frame.groupby(column)["order"].transform("size")
    kept = frame.groupby(column).cumcount() + 1 <= (0.75 * sizes).round()
    return kept.sort_index().to_numpy()


@pytest.mark.parametrize(("split", "column"), [(splits.by_item, "item"), (splits.by_user, "user")])
def test_random_splits_take_three_quarters_of_each_group(split: object, column: str) -> None:
    assert callable(split)
    interactions = some()
    np.random.seed(42)
    expected = by_pandas(interactions, column, np.random.rand(len(interactions)))
    assert np.array_equal(split(interactions, 42), expected)
    assert not np.array_equal(split(interactions, 43), expected)


def test_the_split_by_time_takes_the_first_rows_of_each_user() -> None:
    interactions = replace(some(), times=np.random.default_rng(5).permutation(400).astype(np.float64))
    assert interactions.times is not None
    expected = by_pandas(interactions, "user", interactions.times)
    assert np.array_equal(splits.by_time(interactions, 1), expected)


def test_rows_of_the_same_time_are_split_at_random_whatever_their_order() -> None:
    pairs = np.random.default_rng(4).permutation(30 * 50)[:400]
    rows = replace(some(), users=pairs // 50, items=pairs % 50, times=np.zeros(400))
    mask = splits.by_time(rows, 1)
    assert np.array_equal(np.bincount(rows.users[mask]), np.round(0.75 * np.bincount(rows.users)))
    assert abs(rows.items[mask].mean() - rows.items[~mask].mean()) < 4 * 50 / np.sqrt(12 * 100), "four deviations"
    assert abs(np.arange(400)[mask].mean() - np.arange(400)[~mask].mean()) < 4 * 400 / np.sqrt(12 * 100)
    shuffled = np.random.default_rng(7).permutation(400)
    assert np.array_equal(splits.by_time(rows.only(shuffled), 1), mask[shuffled])
    assert not np.array_equal(splits.by_time(rows, 2), mask)


@pytest.mark.parametrize(
    ("minutes", "baskets", "visits"),
    [
        ([300, 0, 29, 59, 80, 105], None, [2, 0, 0, 1, 1, 1]),  # a pause of 30 minutes ends a visit, however long it is
        ([0, 900, 5, 1000, 980], [7, 7, 8, 8, -1], [0, 0, 1, 1, 1]),  # a basket is a visit, at its last row's time
        ([0, 5, 10, 15, 20, 60], [-1, 4, -1, 2, -1, -1], [1, 0, 1, 1, 1, 2]),  # what is viewed before and after it, too
    ],
)
def test_a_visit_is_a_basket_or_what_has_no_pause_of_half_an_hour(
    minutes: list[int], baskets: list[int] | None, visits: list[int]
) -> None:
    count = len(minutes)
    in_baskets = None if baskets is None else np.array(baskets)
    rows = replace(some(count), users=np.zeros(count, np.int64), times=np.array(minutes) * 60.0, baskets=in_baskets)
    assert splits.visits_of(rows, 1).tolist() == visits
    alone = [(place, -1) if one < 0 else one for place, one in enumerate(baskets or [-1] * count)]
    for apart in (splits.visits_of(rows, 1, whole=False), splits.visits_of(replace(rows, times=None), 1)):
        assert len({*apart}) == len({*alone}) == len({*zip(apart, alone, strict=True)}), "only baskets stay whole"


@pytest.mark.parametrize(("times", "fewest"), [(True, 20), (True, 10_000), (False, 20)])
def test_no_split_cuts_a_basket(times: bool, fewest: int, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """Neither the judge's, by a moment or not, nor the one in it by which the mix is chosen, nor the second stage's."""
    monkeypatch.setattr(splits, "FEWEST_KNOWN", fewest)
    chance = np.random.default_rng(2)
    baskets, starts = chance.integers(0, 240, 900), chance.permutation(240) * 86_400.0
    at = starts[baskets] + chance.integers(0, 5 * 86_400, 900)
    rows = replace(some(900), users=baskets % 40, times=at if times else None, user_count=40, baskets=baskets)
    rows, is_divided = splits.in_visits(rows, 1)
    division = divide(rows)
    assert (division.by_moment, is_divided) == (times and fewest == 20, False)
    training = rows.only(division.first)
    inner = divide(training, 0.9, moment=division.by_moment).first
    parts = splits.folds(training, moment=division.by_moment)
    assert np.sum(parts, axis=0).tolist() == (~divide(training).first if times else np.ones(len(training))).tolist()
    own = [(baskets, one) for one in (division.first, division.histories)]
    for of, mask in (*own, *((baskets[division.first], one) for one in (inner, *parts))):
        assert {*of[mask]} | {*of[~mask]} == {*of}
        assert 0 < len({*of[~mask]}) == len({*of}) - len({*of[mask]})
    if division.by_moment:
        ends = pd.Series(at).groupby(baskets).transform("max")
        assert ends[division.first].max() < ends[~division.first].min()


def test_a_share_may_be_another() -> None:
    users = np.repeat(np.arange(3), 10)
    rows = Interactions(users=users, items=np.arange(30), values=np.ones(30), times=None, user_count=3, item_count=30)
    mask = splits.by_user(rows, 1, 0.9)
    assert np.bincount(users[mask]).tolist() == [9, 9, 9]
    with pytest.raises(ValueError, match="without times"):
        splits.by_time(rows, 1)


@pytest.mark.parametrize(("repeats", "missed"), [(False, [0, 0]), (True, [0, 1])])
def test_a_second_choice_of_an_item_that_nothing_is_known_about_is_missed_only_with_repeats(
    *, repeats: bool, missed: list[int]
) -> None:
    """The second user is new, and chose an item twice that nobody chose before the moment."""
    choices = Interactions(
        users=np.array([0, 0, 1, 1]),
        items=np.array([0, 1, 2, 2]),
        values=np.ones(4),
        times=np.arange(4.0),
        user_count=2,
        item_count=3,
    )
    division = Division(first=np.arange(4) < 2, histories=np.arange(4) < 3, by_moment=True)
    assert halves(choices, division, 10, repeats=repeats).missed.tolist() == missed
