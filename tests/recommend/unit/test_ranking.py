"""The second stage: its inputs by hand, its order, and its files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from features.hashing import Several
from features.schema import Schema
from recommend.columns import Chosen, PairColumns, Taste
from recommend.first_stage import ItemWeights
from recommend.ranking import (
    CANDIDATES,
    CandidateRanking,
    Candidates,
    FirstStageInputs,
    Numbers,
    Placed,
    Predict,
    best_of,
    standard,
)
from recommend.recommender import Recommender, read_golden
from tests.support.recommenders import ITEM_TO_ITEM, ITEMS, encoder_of

NOTHING = np.empty(0, np.int64)
COLUMNS = PairColumns(
    schema=Schema(numeric=("age", "year"), categorical=("genre", "item"), separators={"genre": "|"}),
    items={
        "year": [1990.0, None, 2000.0, 2010.0, 2020.0],
        "genre": ["war", "war|love", "love", "", "war"],
        "item": [*ITEMS],
    },
)
CHOICES = np.array([4, 3, 2, 1, 0])
AGAIN = np.array([0.5, 0.25, 0.75, 0.0, 1.0])
NO_TREES = "tree\nnum_class=1\nnum_tree_per_iteration=1\n\nend of trees\n"
"""The file of a model without trees: stand-ins predict."""
YEAR = 6
"""The place of the year among the inputs: after four of the first stage, the taste in genres, and the age."""


def by_year(inputs: Numbers) -> Sequence[float]:
    """More probable by year, a half for unknown ones and for users of 99."""
    assert inputs.shape[1] == 11
    later = np.nan_to_num((inputs[:, YEAR] - 1980) / 50, nan=0.5)
    probabilities: Sequence[float] = np.where(inputs[:, YEAR - 1] == 99, 0.5, later).tolist()
    return probabilities


def ranking(weight: float = 10) -> CandidateRanking:
    return CandidateRanking(
        weight=weight,
        first_stage=FirstStageInputs(choices=CHOICES, columns=COLUMNS),
        encoder=encoder_of(COLUMNS.schema),
        model=NO_TREES,
        predict=by_year,
    )


def recommender(weight: float = 10) -> Recommender:
    return Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM), ranking=ranking(weight))


def standardised(scores: Numbers) -> Numbers:
    """Those of a single list."""
    return standard(scores, np.zeros(len(scores), np.int64), np.arange(len(scores)))


def opened(model: Path, inputs: int) -> Predict:
    assert model.read_text() == NO_TREES
    assert inputs == 11
    return by_year


def test_the_best_items_are_finite_and_in_order() -> None:
    assert best_of(np.array([1.0, 3.0, -np.inf, 3.0]), 3).tolist() == [1, 3, 0]
    assert best_of(np.array([1.0, 3.0, -np.inf, 3.0]), 9).tolist() == [1, 3, 0]


def test_scores_are_standardised_by_the_first_hundred() -> None:
    scores = np.arange(150.0, 0, -1)
    assert standardised(scores)[:CANDIDATES].mean() == pytest.approx(0)
    assert standardised(scores)[:CANDIDATES].std() == pytest.approx(1)
    assert standardised(scores)[:CANDIDATES].tolist() == standardised(scores[:CANDIDATES]).tolist()
    assert standardised(np.full(3, 7.0)).tolist() == [0, 0, 0]
    assert standardised(NOTHING.astype(float)).tolist() == []


def test_the_inputs_of_several_lists_are_those_of_each_list_whatever_their_lengths() -> None:
    inputs = FirstStageInputs(choices=CHOICES, columns=COLUMNS, again=AGAIN)
    lists = [
        Candidates(np.array([0, 3, 0]), np.array([4, 2]), np.array([3.0, 1.0]), user={}),
        Candidates(np.array([1]), NOTHING, NOTHING.astype(float), user={}),
        Candidates(NOTHING, np.array([0, 1, 2]), np.array([0.1, 0.1, 0.1]), user={}),
        Candidates(np.array([4, 1, 2]), np.array([3]), np.array([2.0]), user={}),
    ]
    together = inputs.of(Placed.together(lists))
    assert together.shape == (6, len(inputs.names))
    assert together.tolist() == [row for one in lists for row in inputs.of(Placed.together([one])).tolist()]


def test_taste_is_the_share_in_the_history_less_the_share_in_all_choices() -> None:
    taste = Taste.of(np.array([7, 7, 9]))
    popularity = np.array([0.25, 0.25, 0.5])
    found = taste.of_items(
        Chosen.of([np.array([0, 1])], 3), np.zeros(3, np.int64), np.arange(3), taste.shares(popularity)
    )
    assert found == pytest.approx([(2 - 1) / 7, (2 - 1) / 7, (0 - 1) / 7])


def test_the_taste_for_several_values_is_their_mean() -> None:
    taste = Taste.of(Several(hashes=np.array([7, 7, 9, 9]), row=np.array([0, 1, 1, 2])))
    chosen = Chosen.of([np.array([0]), np.array([2, 1, 2])], 3)
    found = taste.of_items(chosen, np.array([0, 1, 1]), np.array([1, 1, 2]), taste.shares(np.array([0.5, 0.25, 0.25])))
    first, second = [(1 - 0.75) / 6, (0 - 0.5) / 6], [(1 - 2 * 0.75) / 7, (2 - 2 * 0.5) / 7]
    assert found == pytest.approx([sum(first) / 2, sum(second) / 2, second[1]])


def test_columns_of_which_each_item_has_its_own_value_are_no_taste() -> None:
    assert len(COLUMNS.tastes) == 1
    assert ranking().first_stage.names == ["standard_score", "place", "popularity", "history", "taste_0"]


def test_the_order_is_the_standard_score_plus_the_weight_times_the_log_odds() -> None:
    first = Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM)).recommend(np.array([0]), 4, NOTHING)
    scores = standardised(np.array([one.score for one in first]))
    years = [1990, 2005, 2000, 2010, 2020]
    odds = [np.log((years[one.item] - 1980) / (2030 - years[one.item])) for one in first]
    expected = dict(zip([one.item for one in first], scores + 10 * np.array(odds), strict=True))
    found = recommender().recommend(np.array([0]), 4, NOTHING, {"age": 30.0})
    assert {one.item: one.score for one in found} == pytest.approx(expected)
    assert [one.item for one in found] == sorted(expected, key=lambda item: -expected[item])
    assert [one.item for one in found] != [one.item for one in first]


def test_what_is_known_of_a_user_changes_the_order_and_what_is_not_is_missing() -> None:
    first = Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM)).recommend(np.array([0]), 4, NOTHING)
    found = recommender().recommend(np.array([0]), 4, NOTHING, {"age": 99.0})
    assert [one.item for one in found] == [one.item for one in first]
    unknown = recommender().recommend(np.array([0]), 4, NOTHING)
    assert unknown == recommender().recommend(np.array([0]), 4, NOTHING, {"age": None})


def test_what_items_have_of_their_own_is_encoded_as_in_pairs() -> None:
    schema = Schema(
        numeric=("age", "year"),
        categorical=("place", "genre"),
        separators={"genre": "|"},
        crosses=(("place", "genre"),),
    )
    columns = PairColumns(schema=schema, items={name: COLUMNS.items[name] for name in ("year", "genre")})
    users = columns.read_users({"age": [30.0, None], "place": ["north", ""]})
    user, item = np.array([0, 1, 0, 1]), np.array([4, 1, 3, 1])
    pairs = columns.pairs(users, user, item)
    hashes = [np.unique(of.hashes if isinstance(of, Several) else of) for of in map(pairs.values, range(3))]
    encoder = encoder_of(schema, *hashes)
    of_items = columns.encoded_items(encoder)
    assert np.isnan(of_items).any(axis=0).tolist() == [True, True, True, True, False, False, True, True]
    found = columns.encoded_pairs(users, user, item, of_items, encoder)
    np.testing.assert_array_equal(found, pairs.encode(encoder))
    assert len(np.unique(found[:, 2:])) > 6


def test_fewer_items_are_the_first_of_more() -> None:
    every = recommender().recommend(np.array([1]), 1000, NOTHING)
    assert recommender().recommend(np.array([1]), 2, NOTHING) == every[:2]


def test_a_ranking_is_saved_loaded_and_in_the_golden_requests(tmp_path: Path) -> None:
    recommender().save(tmp_path / "recommend", seed=3)
    loaded = Recommender.load(tmp_path / "recommend", opened)
    golden = read_golden(tmp_path / "recommend")
    assert golden == loaded.golden(3) == recommender().golden(3)
    assert golden != Recommender(items=ITEMS, first_stage=ItemWeights.cut(ITEM_TO_ITEM)).golden(3)
    assert {tuple(one.user) for one in golden} == {(), ("age",)}
    assert [field.name for field in loaded.user_columns] == ["age"]


def test_own_items_are_candidates_with_how_often_and_how_long_ago_they_were_chosen() -> None:
    inputs = FirstStageInputs(choices=CHOICES, columns=None, again=AGAIN)
    history = np.array([4, 2, 4, 3])
    scores = np.array([5.0, 4.0, 3.0, 2.0, -np.inf])
    assert inputs.names[3:] == ["history", "own_choices", "own_age", "own_decayed", "again"]
    assert inputs.candidates(scores, history, 2).tolist() == [0, 1, 3]
    assert inputs.candidates(scores, history, 3).tolist() == [0, 1, 2, 3]
    asked = Candidates(history, np.array([0, 2, 4]), np.array([5.0, 3.0, 1.0]), user={})
    found = inputs.of(Placed.together([asked]))
    assert found[:, 3] == pytest.approx(np.log1p([3, 3, 3]))
    assert np.expm1(found[:, 4]) == pytest.approx([0, 1, 2])
    assert np.expm1(found[:, 5]) == pytest.approx([4, 2, 1])
    assert found[:, 6] == pytest.approx([0, 2 ** (-2 / 60), 2 ** (-3 / 60) + 2 ** (-1 / 60)])
    assert found[:, 7].tolist() == [0.5, 0.75, 1.0]
    plain = FirstStageInputs(choices=CHOICES, columns=None)
    assert plain.candidates(scores, history, 2).tolist() == [0, 1]
    often, once = (Candidates(own, np.array([0]), np.array([5.0]), user={}) for own in (history, np.array([2, 3, 4])))
    assert plain.of(Placed.together([often])).tolist() == plain.of(Placed.together([once])).tolist()
