"""What a response has of the items' columns: limits on items that share a value, and the titles that are shown."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from recommend import catalogue, histories
from recommend.catalogue import Catalogue, ItemRow, Layout, State
from recommend.first_stage import OWN, POPULAR, Blend, ItemWeights
from recommend.histories import Histories, UserRow
from recommend.recommender import Recommender
from scoring.model import recommending
from scoring.model.recommend_request import RecommendRequest
from scoring.model.recommending import RecommendQuery, SimilarQuery, recommend_to_each
from scoring.model.stored import Lookups
from scoring.responses import Fallback, ModelName, RecommendAnswer
from tests.support.recommenders import SCHEMA

KEYS = [str(number) for number in range(300)]
ALIKE = 250
"""So many of the most popular items have the same genre."""


def answered(asked: RecommendRequest, file: Path, columns: dict[str, Callable[[str], str]]) -> RecommendAnswer:
    """The answer where the items have these columns, and the first ones are recommended."""
    rows = [ItemRow(key, {name: text(key) for name, text in columns.items()}, State.TRAINED) for key in KEYS]
    catalogue.write(file, rows, Layout(item_column="id", separators=dict.fromkeys(columns, "")))
    recommender = Recommender(items=KEYS, first_stage=ItemWeights.cut(np.zeros((len(KEYS), len(KEYS)))))
    clicks = SimpleNamespace(probabilities=lambda rows: [0.5] * len(rows))
    model = SimpleNamespace(
        recommender=recommender,
        name=ModelName(name="films", version="1"),
        bundle=SimpleNamespace(schema=SCHEMA),
        clicks=clicks,
        click_model=clicks,
    )
    lookups = Lookups(catalogue=Catalogue(file, KEYS))
    (found,) = recommend_to_each([RecommendQuery(asked)], cast("Any", model), lookups)
    assert isinstance(found, RecommendAnswer)
    return found


def test_items_of_other_genres_are_found_behind_hundreds_of_one(tmp_path: Path) -> None:
    asked = RecommendRequest(history=[], top=3, at_most={"genre": 1})
    found = answered(asked, tmp_path / "file", {"genre": lambda key: "x" if int(key) < ALIKE else key})
    assert [one.item for one in found.items] == ["0", "250", "251"]


def test_a_limit_that_cannot_be_met_is_tried_among_the_best_items_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommending, "MOST_CANDIDATES", ALIKE)
    asked = RecommendRequest(history=[], top=3, at_most={"genre": 1})
    found = answered(asked, tmp_path / "file", {"genre": lambda key: "x" if int(key) < ALIKE else key})
    assert [one.item for one in found.items] == ["0"]
    assert Fallback.FEWER in found.fallback


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


def test_somebody_new_gets_recent_popularity_and_similar_items_are_those_of_others(tmp_path: Path) -> None:
    request = RecommendRequest(history=["a"], top=2)
    assert asked_of_three(tmp_path / "file", RecommendQuery(request)) == [("c", []), ("b", [])]
    assert asked_of_three(tmp_path / "file", SimilarQuery(request)) == [("b", ["a"]), ("c", ["a"])]
