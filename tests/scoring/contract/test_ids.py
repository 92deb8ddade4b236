"""Users and items by id: `/score`, `/rank` and `/explain` fill in their stored columns, `/similar` takes an item."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.recommenders import asked, items, make_recommending_bundle, write_snapshots
from tests.support.services import RunningService, running_service


def answer(film_service: RunningService, path: str, body: object) -> Any:
    found = film_service.client.post(path, json=body)
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
    film_service: RunningService, by_id: dict[str, object], in_full: dict[str, object]
) -> None:
    for path in ("/score", "/explain"):
        assert answer(film_service, path, by_id)["probability"] == answer(film_service, path, in_full)["probability"]
    batch = answer(film_service, "/score", {"records": [by_id, in_full]})["probabilities"]
    assert batch[0] == batch[1]


def test_items_are_ranked_by_id_for_a_user_by_id(film_service: RunningService) -> None:
    by_id = {"user": {"user": "u1"}, "items": [{"item": "a"}, {"item": "d"}, {"item": "a", "genre": "y"}]}
    in_full = {"user": {"age": 30}, "items": [{"genre": "x"}, {}, {"genre": "y"}]}
    assert answer(film_service, "/rank", by_id) == answer(film_service, "/rank", in_full)


def test_an_items_neighbours_are_what_its_users_chose(film_service: RunningService) -> None:
    found = answer(film_service, "/similar", {"item": "b", "top": 2})
    assert items(found) == items(asked(film_service, history=["b"], top=2)) == ["a", "c"]
    assert found["items"][0]["reason"] == "because of b"
    assert items(answer(film_service, "/similar", {"item": "b", "exclude": ["a"], "filter": {"genre": ["x"]}})) == []


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
