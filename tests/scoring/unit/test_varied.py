"""Limits on items that share a value: as many candidates are looked at as it takes to meet them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from recommend import catalogue
from recommend.catalogue import Catalogue, ItemRow, Layout, State
from recommend.recommender import Recommender
from recommend.weights import ItemWeights
from scoring.model.lookups import Lookups
from scoring.model.recommend_request import RecommendRequest
from scoring.model.recommending import RecommendQuery
from scoring.model.together import recommend_to_each
from scoring.responses import ModelName, RecommendAnswer
from tests.support.recommenders import SCHEMA

KEYS = [str(number) for number in range(300)]
ALIKE = 250
"""So many of the most popular items have the same genre."""


def test_items_of_other_genres_are_found_behind_hundreds_of_one(tmp_path: Path) -> None:
    rows = [ItemRow(key, {"genre": "x" if int(key) < ALIKE else key}, State.TRAINED) for key in KEYS]
    catalogue.write(tmp_path / "file", rows, Layout(item_column="id", separators={"genre": ""}))
    recommender = Recommender(items=KEYS, first_stage=ItemWeights.cut(np.zeros((len(KEYS), len(KEYS)))))
    model = SimpleNamespace(
        recommender=recommender,
        name=ModelName(name="films", version="1"),
        bundle=SimpleNamespace(schema=SCHEMA),
        probabilities=lambda rows: [0.5] * len(rows),
    )
    asked = RecommendQuery(RecommendRequest(history=[], top=3, at_most={"genre": 1}))
    lookups = Lookups(catalogue=Catalogue(tmp_path / "file", KEYS))
    (found,) = recommend_to_each([asked], cast("Any", model), lookups, lambda _: None)
    assert isinstance(found, RecommendAnswer)
    assert [one.item for one in found.items] == ["0", "250", "251"]
