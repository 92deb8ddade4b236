"""New items: which they are, and what known items with the same values say about them."""

from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from recommend import catalogue, histories
from recommend.catalogue import Catalogue, Comparison, ItemRow, Layout, State
from recommend.histories import Histories, UserRow

LAYOUT = Layout(item_column="item_id", separators={"title": "", "genre": "|", "land": ""})
RECOMMENDER = ["b", "elsewhere", "a"]


def opened(tmp_path: Path, **items: dict[str, str]) -> Catalogue:
    """A catalogue of these items, and of one that was withdrawn."""
    rows = [ItemRow(key, {"title": key} | columns, State.LOADED) for key, columns in items.items()]
    catalogue.write(tmp_path / "c", [*rows, ItemRow("gone", {}, State.WITHDRAWN)], LAYOUT)
    return Catalogue(tmp_path / "c", RECOMMENDER)


def test_new_is_what_neither_the_recommender_nor_a_history_has(tmp_path: Path) -> None:
    found = opened(tmp_path, a={}, seen={}, n1={}, b={}, n2={})
    histories.write(tmp_path / "h", ["seen", "unheard"], [UserRow("u", b"", {})], "user_id")
    new = Comparison.of_new(found, Histories(tmp_path / "h", RECOMMENDER), [])
    assert [found.key(number) for number in new.numbers] == ["n1", "n2"]
    new = Comparison.of_new(found, None, [])
    assert [found.key(number) for number in new.numbers] == ["seen", "n1", "n2"]


def test_a_value_is_worth_what_items_with_it_score_above_the_average(tmp_path: Path) -> None:
    found = opened(
        tmp_path,
        a={"genre": "x|y", "land": "K"},
        b={"genre": "x", "land": "x"},
        n1={"genre": "x"},
        n2={"genre": " y | x", "land": "K"},
        n3={"land": "x"},
        n4={"genre": "never", "land": "K"},
        n5={},
    )
    scores = Comparison.of_new(found, None, ["genre", "land", "no column"]).scores(np.array([-2.0, -1.0, 3.0]))
    x, y, in_k, in_x = (3 - 2) / (2 + 5), 3 / (1 + 5), 3 / (1 + 5), -2 / (1 + 5)
    assert scores == pytest.approx([x, (x + y + in_k) / sqrt(3), in_x, in_k / sqrt(2), 0])


def test_without_new_items_or_columns_there_is_nothing_to_score(tmp_path: Path) -> None:
    found = opened(tmp_path, a={"genre": "x"})
    assert len(Comparison.of_new(found, None, ["genre"]).scores(np.zeros(3))) == 0
    found = opened(tmp_path, a={"genre": "x"}, n={"genre": "x"})
    assert Comparison.of_new(found, None, []).scores(np.arange(3.0)).tolist() == [0]
