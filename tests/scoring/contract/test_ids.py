"""Users and items by id: `/score`, `/rank` and `/explain` fill in their stored columns, `/similar` takes an item."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recommend import catalogue
from recommend.catalogue import ItemRow, Layout, State
from tests.support.recommenders import asked, items, make_recommending_bundle, recommender, write_snapshots
from tests.support.services import RunningService, running_service


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recommending_bundle(tmp_path_factory.mktemp("films") / "bundle", recommender())


@pytest.fixture(scope="module")
def running(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """u1 is 30; the item a has the genre x, d has none, and gone was withdrawn."""
    snapshots = write_snapshots(tmp_path_factory.mktemp("snapshots"))
    rows = [ItemRow("a", {"genre": "x"}, State.LOADED), ItemRow("d", {}, State.LOADED)]
    rows.append(ItemRow("gone", {"genre": "x"}, State.WITHDRAWN))
    layout = Layout(item_column="item_id", separators={"title": "", "genre": "|"})
    catalogue.write(snapshots / catalogue.FILE, rows, layout)
    arguments = ["--snapshots", str(snapshots)]
    with running_service(films, tmp_path_factory.mktemp("service"), arguments=arguments) as service:
        yield service


def answer(running: RunningService, path: str, body: object) -> Any:
    found = running.client.post(path, json=body)
    assert found.status_code == 200, found.text
    return found.json()


@pytest.mark.parametrize(
    ("by_id", "in_full"),
    [
        ({"user": "u1", "item": "a"}, {"age": 30, "genre": "x"}),
        ({"user": "u1", "genre": "y"}, {"age": 30, "genre": "y"}),
        ({"user": "u1", "item": "a", "age": 70, "genre": "y"}, {"age": 70, "genre": "y"}),
        ({"user": "u1", "item": "a", "age": None, "genre": None}, {}),
        ({"user": "nobody", "item": "d"}, {}),
        ({"item": "a"}, {"genre": "x"}),
    ],
)
def test_stored_columns_fill_in_what_is_absent(
    running: RunningService, by_id: dict[str, object], in_full: dict[str, object]
) -> None:
    for path in ("/score", "/explain"):
        assert answer(running, path, by_id)["probability"] == answer(running, path, in_full)["probability"]
    batch = answer(running, "/score", {"records": [by_id, in_full]})["probabilities"]
    assert batch[0] == batch[1]


def test_items_are_ranked_by_id_for_a_user_by_id(running: RunningService) -> None:
    by_id = {"user": {"user": "u1"}, "items": [{"item": "a"}, {"item": "d"}, {"item": "a", "genre": "y"}]}
    in_full = {"user": {"age": 30}, "items": [{"genre": "x"}, {}, {"genre": "y"}]}
    assert answer(running, "/rank", by_id) == answer(running, "/rank", in_full)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/score", {"item": "never"}, "item"),
        ("/score", {"item": "gone"}, "item"),
        ("/score", {"item": "x" * 30_000}, "item"),
        ("/score", {"item": "a\0"}, "item"),
        ("/score", {"records": [{"item": "a"}, {"item": 17}]}, "records[1].item"),
        ("/rank", {"user": {"user": "u1"}, "items": [{"item": "a"}, {"item": "gone"}]}, "items[1].item"),
        ("/similar", {"item": "never"}, "item"),
    ],
)
def test_an_item_that_is_not_in_the_catalogue_is_refused(
    running: RunningService, path: str, body: object, field: str
) -> None:
    found = running.client.post(path, json=body)
    assert found.status_code == 400
    assert (found.json()["error"]["code"], found.json()["error"]["field"]) == ("unknown_item", field)


@pytest.mark.parametrize("key", [1.5, None, True, ["u1"]])
@pytest.mark.parametrize("name", ["user", "item"])
def test_an_id_of_another_type_is_refused(running: RunningService, name: str, key: object) -> None:
    found = running.client.post("/score", json={name: key})
    assert found.status_code == 400
    assert (found.json()["error"]["code"], found.json()["error"]["field"]) == ("wrong_type", name)


def test_what_is_wrong_with_other_fields_is_said_as_before(running: RunningService) -> None:
    for body, code, field in (
        (b'{"user": "u1", "user": "u2"}', "duplicate_field", "user"),
        (b'{"user": "u1", "colour": 1}', "unknown_field", "colour"),
        (b'{"user": "u1", "records": [{}]}', "wrong_type", "user"),
        (b'{"age": "old"}', "wrong_type", "age"),
    ):
        found = running.client.post("/score", content=body, headers={"content-type": "application/json"})
        assert (found.status_code, found.json()["error"]["code"], found.json()["error"]["field"]) == (400, code, field)


def test_an_items_neighbours_are_what_its_users_chose(running: RunningService) -> None:
    found = answer(running, "/similar", {"item": "b", "top": 2})
    assert items(found) == items(asked(running, history=["b"], top=2)) == ["a", "d"]
    assert found["items"][0]["reason"] == "because of b"
    assert items(answer(running, "/similar", {"item": "b", "exclude": ["a"], "filter": {"genre": ["x"]}})) == []


@pytest.mark.parametrize("arguments", [[], ["--snapshots", "never-made"]])
def test_without_snapshots_users_are_unknown_and_items_cannot_be_looked_up(
    films: Path, tmp_path: Path, arguments: list[str]
) -> None:
    with running_service(films, tmp_path, arguments=arguments) as service:
        assert service.client.post("/score", json={"item": "a"}).status_code == 503
        unknown = answer(service, "/score", {"user": "u1", "genre": "x"})["probability"]
        assert unknown == answer(service, "/score", {"genre": "x"})["probability"]


def test_users_and_items_are_looked_up_where_training_rejected_the_recommender(tmp_path: Path) -> None:
    bundle, snapshots = make_recommending_bundle(tmp_path / "bundle", None), write_snapshots(tmp_path / "snapshots")
    with running_service(bundle, tmp_path, arguments=["--snapshots", str(snapshots)]) as service:
        by_id, in_full = {"user": "u1", "item": "a"}, {"age": 30, "genre": "x"}
        assert answer(service, "/score", by_id)["probability"] == answer(service, "/score", in_full)["probability"]
        assert service.client.post("/recommend", json={"user": "u1"}).status_code == 409


def test_without_users_and_items_there_are_no_ids(service: RunningService) -> None:
    assert service.client.post("/score", json={"user": "u1"}).json()["error"]["code"] == "unknown_field"
    assert service.client.post("/similar", json={"item": "a"}).status_code == 404
