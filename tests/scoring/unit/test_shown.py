"""What a response has of the items' columns: limits on items that share a value, and the titles that are shown."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from recommend import catalogue, histories
from recommend.catalogue import Catalogue, ItemRow, Layout, State
from recommend.first_stage import OWN, POPULAR, Blend, ItemWeights
from recommend.histories import Histories, UserRow
from recommend.interactions import Interactions
from recommend.learning import together
from recommend.recommender import Recommender
from scoring.model.recommend_request import RecommendRequest, read_similar
from scoring.model.recommending import RecommendQuery, SimilarQuery, recommend_to_each
from scoring.model.records import Lookups
from scoring.responses import Fallback, KnownUser, ModelName, RecommendAnswer
from tests.support.recommenders import SCHEMA

KEYS = [str(number) for number in range(300)]
ALIKE = 250
"""So many of the most popular items have the same genre."""


def answered(
    asked: RecommendRequest, file: Path, columns: dict[str, Callable[[str], str]], keys: list[str] = KEYS
) -> RecommendAnswer:
    """The answer where the items have these columns, and the first ones are recommended."""
    rows = [ItemRow(key, {name: text(key) for name, text in columns.items()}, State.TRAINED) for key in keys]
    catalogue.write(file, rows, Layout(item_column="id", separators=dict.fromkeys(columns, "")))
    recommender = Recommender(items=keys, first_stage=ItemWeights.cut(np.zeros((len(keys), len(keys)))))
    clicks = SimpleNamespace(probabilities=lambda rows: [0.5] * len(rows))
    model = SimpleNamespace(
        recommender=recommender,
        name=ModelName(name="films", version="1"),
        bundle=SimpleNamespace(schema=SCHEMA),
        clicks=clicks,
        click_model=clicks,
    )
    lookups = Lookups(catalogue=Catalogue(file, keys))
    (found,) = recommend_to_each([RecommendQuery(asked)], cast("Any", model), lookups)
    assert isinstance(found, RecommendAnswer)
    return found


def test_items_of_other_genres_are_found_behind_hundreds_of_one(tmp_path: Path) -> None:
    asked = RecommendRequest(history=[], top=3, at_most={"genre": 1})
    found = answered(asked, tmp_path / "file", {"genre": lambda key: "x" if int(key) < ALIKE else key})
    assert [one.item for one in found.items] == ["0", "250", "251"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "bcd"), ({"diversity": 0.5}, "bdc"), ({"diversity": 0.5, "at_most": {"genre": 1}}, "bd")],
)
def test_with_diversity_an_item_loses_that_is_like_those_above_it(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    """For a choice of a the scores are 5, 4 and 3, from 0 to 1 they are 1, 0.5 and 0; b and c go together, the most."""
    weights = np.array([[0.0, 5.0, 4.0, 3.0], [0.0, 0.0, 9.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    recommender = Recommender(items=[*"abcd"], first_stage=ItemWeights.cut(weights))
    rows = [ItemRow(key, {"genre": "x" if key in "bc" else key}, State.TRAINED) for key in "abcd"]
    catalogue.write(tmp_path / "file", rows, Layout(item_column="id", separators={"genre": ""}))
    model = SimpleNamespace(recommender=recommender, name=ModelName(name="shop", version="1"), clicks=None)
    lookups = Lookups(catalogue=Catalogue(tmp_path / "file", [*"abcd"]))
    query = RecommendQuery(RecommendRequest(history=["a"], top=3, **given))
    (found,) = recommend_to_each([query], cast("Any", model), lookups)
    assert isinstance(found, RecommendAnswer)
    assert "".join(one.item for one in found.items) == expected


@pytest.mark.parametrize(("alike", "expected"), [(1_999, ["0", "1999"]), (2_000, ["0"])])
def test_a_limit_that_cannot_be_met_is_tried_among_the_best_2000_items_only(
    tmp_path: Path, alike: int, expected: list[str]
) -> None:
    asked, keys = RecommendRequest(history=[], top=3, at_most={"genre": 1}), [*map(str, range(2_100))]
    found = answered(asked, tmp_path / "file", {"genre": lambda key: "x" if int(key) < alike else key}, keys)
    assert [one.item for one in found.items] == expected
    assert Fallback.FEWER in found.fallback


def test_a_long_history_gives_as_many_reasons_and_is_shown_as_far_as_the_page_says() -> None:
    """The item 350 goes with the first one that was chosen."""
    weights = np.zeros((400, 400))
    weights[0, 350] = 1
    recommender = Recommender(items=[*map(str, range(400))], first_stage=ItemWeights.cut(weights))
    model = SimpleNamespace(recommender=recommender, name=ModelName(name="shop", version="1"), clicks=None)
    for count, shown, reasons in ((99, 99, ["0"]), (101, 100, ["0"]), (300, 100, ["0"]), (301, 100, [])):
        asked = RecommendRequest(history=[*map(str, range(count))], top=1, details=True)
        (found,) = recommend_to_each([RecommendQuery(asked)], cast("Any", model), Lookups())
        assert isinstance(found, RecommendAnswer)
        assert isinstance(found.known, KnownUser)
        assert [(one.item, [item.item for item in one.because]) for one in found.items] == [("350", reasons)]
        assert (len(found.known.history), found.known.chosen) == (shown, count)


@pytest.mark.parametrize("column", ["title", "Name", "movie_title", "product_name"])
def test_a_title_is_shown_unasked(tmp_path: Path, column: str) -> None:
    columns = {column: lambda key: f"No. {key}", "names": lambda _: "x"}
    found = answered(RecommendRequest(history=[], top=1), tmp_path / "file", columns)
    assert found.items[0].columns == {column: "No. 0"}


def asked_of_three(file: Path, query: RecommendQuery) -> list[tuple[str, list[str]]]:
    """What is recommended, and why: own choices, or popularity to new users (c, then b); u bought a, and viewed b."""
    chosen = histories.packed(np.array([0, 1]), np.array([0, 1], np.int8))
    histories.write(file, ["a", "b", "c"], [UserRow("u", chosen, {})], "user")
    blend = Blend(mix=OWN, of_new=POPULAR, of_items=np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
    weights = ItemWeights.cut(np.array([[0.0, 5.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    recommender = Recommender(items=["a", "b", "c"], first_stage=weights, blend=blend)
    model = SimpleNamespace(recommender=recommender, name=ModelName(name="shop", version="1"), clicks=None)
    lookups = Lookups(histories=Histories(file, recommender.items))
    (found,) = recommend_to_each([query], cast("Any", model), lookups)
    assert isinstance(found, RecommendAnswer)
    return [(one.item, [item.item for item in one.because]) for one in found.items]


def test_what_was_only_viewed_is_recommended_for_itself_and_what_was_bought_is_not(tmp_path: Path) -> None:
    query = RecommendQuery(RecommendRequest(user="u", top=3))
    assert asked_of_three(tmp_path / "file", query) == [("b", ["b"]), ("c", [])]
    assert query.fallback == ["fewer"]
    query = RecommendQuery(RecommendRequest(user="u", top=1, exclude=["b"]))
    assert asked_of_three(tmp_path / "file", query) == [("c", [])]
    assert query.fallback == ["popular"], "own choices do not help where they may not be recommended"


@pytest.mark.parametrize(
    ("body", "found", "fallback"),
    [
        ({"item": "a"}, [("b", 2 / 8), ("c", 1 / 8), ("d", 0)], ["popular"]),
        ({"item": "a", "top": 2}, [("b", 2 / 8), ("c", 1 / 8)], []),
        ({"item": "a", "filter": {"genre": ["y"]}}, [("b", 2 / 8), ("d", 0)], ["popular", "fewer"]),
        ({"item": "b", "at_most": {"genre": 1}, "exclude": ["c"], "top": 2}, [("a", 2 / 8), ("d", 0)], ["popular"]),
        ({"item": "d", "top": 2}, [("b", 1 / 7), ("a", 0)], ["attributes", "popular"]),
        ({"item": "d", "top": 2, "kind": "chosen"}, [("b", 1 / 7), ("a", 0)], ["attributes", "popular"]),
    ],
)
def test_what_is_in_the_same_baskets_goes_together_then_what_is_like_it(
    tmp_path: Path, body: dict[str, object], found: list[tuple[str, float]], fallback: list[str]
) -> None:
    """Two of four baskets have a and b, one a and c, and one d; 5 more have one of two. y is worth 1 / (2 + 5)."""
    items, baskets = np.array([0, 1, 0, 1, 0, 2, 3]), np.array([0, 0, 1, 1, 2, 2, 3])
    ones = np.ones(7)
    bought = Interactions(
        users=baskets, items=items, values=ones, times=None, user_count=4, item_count=4, baskets=baskets
    )
    rows = [ItemRow(key, {"genre": genre}, State.TRAINED) for key, genre in zip("abcd", "xyxy", strict=True)]
    catalogue.write(tmp_path / "items", rows, Layout(item_column="id", separators={"genre": ""}))
    nothing = ItemWeights.cut(np.zeros((4, 4)))
    recommender = Recommender(items=[*"abcd"], first_stage=nothing, repeats=True, together=together(bought))
    name = ModelName(name="shop", version="1")
    model = SimpleNamespace(recommender=recommender, name=name, clicks=None, compared_columns=["genre"])
    request, is_together = read_similar(msgspec.json.encode({"kind": "together", "top": 3} | body))
    lookups = Lookups(catalogue=Catalogue(tmp_path / "items", recommender.items))
    (answer,) = recommend_to_each([SimilarQuery(request, together=is_together)], cast("Any", model), lookups)
    assert isinstance(answer, RecommendAnswer)
    assert ([one.item for one in answer.items], answer.fallback) == ([key for key, _ in found], fallback)
    assert [one.score for one in answer.items] == pytest.approx([score for _, score in found])
    reason, because = "attributes" if "attributes" in fallback else "together", [body["item"]]
    assert [(one.reason, [item.item for item in one.because]) for one in answer.items] == [
        (reason, because) if score else ("popular", []) for _, score in found
    ]


def test_somebody_new_gets_recent_popularity_and_similar_items_are_those_of_others(tmp_path: Path) -> None:
    request = RecommendRequest(history=["a"], top=2)
    query = RecommendQuery(request)
    assert asked_of_three(tmp_path / "file", query) == [("c", []), ("b", [])]
    assert query.fallback == ["popular"]
    assert asked_of_three(tmp_path / "file", SimilarQuery(request)) == [("b", ["a"]), ("c", ["a"])]
