"""What a response has of the items' columns: limits on items that share a value, and the titles that are shown."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from recommend import catalogue
from recommend.catalogue import Catalogue, ItemRow, Layout, State
from recommend.first_stage import ItemWeights
from recommend.recommender import Recommender
from scoring.model import recommending
from scoring.model.recommend_request import RecommendRequest
from scoring.model.recommending import RecommendQuery, recommend_to_each
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
