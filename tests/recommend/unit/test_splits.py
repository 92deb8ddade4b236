"""The splits are those that the recommenders project makes with pandas."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from recommend import splits
from recommend.interactions import Interactions
from recommend.splits import Division, halves


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


def test_what_was_chosen_at_one_time_is_held_out_together() -> None:
    """Of orders with 3, 1 and 2 rows the split by time would cut the first or the last. One order alone stays."""
    users, times = np.repeat(np.arange(40), 6), np.tile([1.0, 1.0, 1.0, 2.0, 3.0, 3.0], 40)
    times[users == 7] = 5.0
    rows = replace(some(), users=users, items=np.arange(240) % 50, values=np.ones(240), times=times, user_count=40)
    shuffled = rows.only(np.random.default_rng(1).permutation(240))
    assert shuffled.times is not None
    for share, held_out_from in ((0.75, 3.0), (0.5, 2.0), (0.1, 2.0)):
        expected = (shuffled.users == 7) | (shuffled.times < held_out_from)
        assert np.array_equal(splits.by_visit(shuffled, 1, share), expected), share
    one_date = replace(rows, times=np.ones(240))
    assert np.array_equal(splits.by_visit(one_date, 1), splits.by_time(one_date, 1)), "nothing else can be held out"


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
