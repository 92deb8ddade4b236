"""Places for new items in `POST /recommend`: which items are new, their order, and what a request limits."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from recommend import catalogue
from recommend.catalogue import ItemRow, Layout, State
from tests.scoring.contract.conftest import NEW_ITEMS
from tests.support.recommenders import asked, items, write_snapshots
from tests.support.services import FOLLOWS_SOON, RunningService, running_service, wait_until

KNOWN = {"a": "x", "b": "x|y", "c": "y", "d": ""}


def new(answer: Any) -> list[str]:
    return [one["item"] for one in answer["items"] if one["reason"] == "new"]


def test_without_a_wish_there_are_none(film_service: RunningService) -> None:
    assert items(asked(film_service, user="u2")) == ["a", "b", "c", "d"]
    assert asked(film_service, user="u2", new=0) | {"event_id": ""} == asked(film_service, user="u2") | {"event_id": ""}


@pytest.mark.parametrize(
    ("body", "best"),
    [
        ({"user": "u1"}, ["n4", "n2", "n1", "n3"]),
        ({"history": ["a"]}, ["n4", "n2", "n1", "n3"]),
        ({"history": [17]}, ["n3", "n1", "n4", "n2"]),
        ({"history": ["d"]}, ["n4", "n3", "n2", "n1"]),
        ({"user": "u2"}, ["n1", "n4", "n2", "n3"]),
        ({"history": []}, ["n1", "n4", "n2", "n3"]),
    ],
)
def test_new_items_like_those_with_good_scores_take_the_last_places(
    film_service: RunningService, body: dict[str, object], best: list[str]
) -> None:
    """u1 chose b, which a and c go with: two items have x, two y. 17 goes badly with b. Nothing goes with d, so the
    latest come first. u2 chose nothing, and the popular a and b have x.
    """
    answer = asked(film_service, **body, top=6, new=4)
    assert new(answer) == items(answer)[-4:] == best
    answer = asked(film_service, **body, top=3, new=1)
    assert (new(answer), items(answer)[2]) == (best[:1], best[0])


def test_a_new_item_comes_with_its_click_probability_and_its_columns(film_service: RunningService) -> None:
    answer = asked(film_service, user="u2", top=4, new=2)
    assert items(answer) == ["a", "b", "n1", "n4"]
    assert answer["fallback"] == ["popular"]
    scored = film_service.client.post("/score", json={"age": 40, "genre": "x"}).json()
    assert answer["items"][2] == {
        "item": "n1",
        "score": None,
        "probability": scored["probability"],
        "reason": "new",
        "because": [],
        "columns": {"title": "Film n1"},
    }


def test_fewer_new_items_leave_their_places_to_others(film_service: RunningService) -> None:
    answer = asked(film_service, user="u2", top=5, new=3, exclude=["n1", "n2", "n4"])
    assert items(answer) == ["a", "b", "c", "d", "n3"]
    assert answer["fallback"] == ["popular"]
    answer = asked(film_service, user="u2", top=9, new=9, exclude=["n1"])
    assert (items(answer)[:4], sorted(new(answer))) == (["a", "b", "c", "d"], ["n2", "n3", "n4"])
    assert answer["fallback"] == ["popular", "fewer"]


def test_what_somebody_chose_is_not_new(film_service: RunningService) -> None:
    assert "gone" not in new(asked(film_service, user="nobody", top=100, new=99))
    answer = asked(film_service, user="nobody", history=["n1", "n2"], top=100, new=99)
    assert sorted(new(answer)) == ["n3", "n4"]
    assert sorted(new(asked(film_service, history=["n1"], seen=True, top=100, new=99))) == ["n2", "n3", "n4"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"genre": ["x"]}, ["n1", "n4"]),
        ({"genre": ["y"], "title": ["Film n2", "Film c"]}, ["n2"]),
        ({"title": ["Film n3"]}, ["n3"]),
        ({"genre": ["never"]}, []),
    ],
)
def test_a_filter_holds_for_new_items(film_service: RunningService, wanted: object, found: list[str]) -> None:
    assert sorted(new(asked(film_service, user="u1", top=10, new=9, filter=wanted))) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"new": 8}, ["a", "d", "n2", "n3"]),  # a has the only x, and n2 the only y
        ({"new": 1}, ["a", "c", "d", "n3"]),
        ({"new": 1, "top": 2}, ["a", "n2"]),
        ({"new": 1, "filter": {"genre": ["y"]}}, ["b"]),
        ({"new": 8, "diversity": 0.5}, ["a", "d", "n2", "n3"]),
        ({"new": 2, "at_most": {"genre": 2}}, ["a", "b", "c", "d", "n3"]),
        ({"new": 2, "filter": {"title": ["Film n4", "Film n3"]}}, ["n4", "n3"]),
    ],
)
def test_a_new_item_takes_the_value_of_no_better_one(
    film_service: RunningService, body: dict[str, object], found: list[str]
) -> None:
    """u2 gets a (x), b (x and y), c (y) and d, then n1 (x), n4 (x and y), n2 (y) and n3, unless one is too many."""
    assert items(asked(film_service, **{"user": "u2", "top": 9, "at_most": {"genre": 1}, **body})) == found


def test_the_setting_holds_unless_a_request_says_otherwise(films: Path, tmp_path: Path) -> None:
    snapshots = write_snapshots(tmp_path, genres=KNOWN | NEW_ITEMS)
    arguments = ["--snapshots", str(snapshots), "--new-items", "2"]
    with running_service(films, tmp_path, arguments=arguments, python=FOLLOWS_SOON) as service:
        assert len(new(asked(service, user="u2"))) == 2
        assert len(new(asked(service, user="u2", new=1))) == 1
        assert new(asked(service, user="u2", new=0)) == []
        similar = service.client.post("/similar", json={"item": "b"}).json()
        assert new(similar) == []
        write_snapshots(snapshots, genres=KNOWN | {"n4": "x"})
        wait_until(lambda: new(asked(service, user="u2")) == ["n4"])
        write_snapshots(snapshots, genres=KNOWN)
        wait_until(lambda: items(asked(service, user="u2")) == ["a", "b", "c", "d"])


def test_new_items_whose_rows_were_altered_are_left_out(films: Path, tmp_path: Path) -> None:
    snapshots = write_snapshots(tmp_path, genres=KNOWN | NEW_ITEMS)
    with sqlite3.connect(snapshots / catalogue.FILE) as connection:
        connection.execute("UPDATE items SET columns = x'7b' WHERE key IN ('n1', 'n4')")
    with running_service(films, tmp_path, arguments=["--snapshots", str(snapshots)]) as service:
        assert items(asked(service, user="u2", top=3, new=1)) == ["a", "b", "c"]
        wait_until(lambda: "was altered" in service.log_file.read_text())


def test_of_many_that_are_alike_the_last_in_the_file_come_first(films: Path, tmp_path: Path) -> None:
    keys = [f"i{number}" for number in range(3_000)]
    rows = [ItemRow(key, {"genre": "x"}, State.LOADED) for key in ("a", *keys)]
    rows.append(ItemRow("withdrawn", {}, State.WITHDRAWN))
    layout = Layout(item_column="item_id", separators={"genre": "|"})
    catalogue.write(tmp_path / catalogue.FILE, rows, layout)
    with running_service(films, tmp_path, arguments=["--snapshots", str(tmp_path)]) as service:
        assert new(asked(service, history=[], top=1_000, new=1_000)) == keys[:-1_000:-1]
        found = asked(service, history=["i2998"], exclude=["i2999", "i7"], top=1_000, new=1_000)
        assert new(found) == keys[-3:-1_002:-1]
