"""`POST /recommend` for users by id: the stored history, the catalogue, and what happens to both while it serves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recommend import catalogue, histories
from tests.support.recommenders import (
    asked,
    items,
    make_recommending_bundle,
    recommender,
    write_catalogue,
    write_snapshots,
)
from tests.support.services import FOLLOWS_SOON, RunningService, running_service, wait_until

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recommending_bundle(tmp_path_factory.mktemp("films") / "bundle", recommender())


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    genres = {"a": "x", "b": "x | y", "c": " y", "d": ""}  # with spaces, as people write several values
    snapshots = write_snapshots(tmp_path_factory.mktemp("snapshots"), genres=genres)
    arguments = ["--snapshots", str(snapshots), "--max-body-bytes", "2000000"]
    with running_service(bundle, tmp_path_factory.mktemp("service"), arguments=arguments) as service:
        yield service


def test_a_user_is_recommended_what_goes_with_their_history_and_nothing_of_it(running: RunningService) -> None:
    answer = asked(running, user="u1")
    reasons = {one["item"]: one["reason"] for one in answer["items"]}
    assert reasons == {"a": "because of b", "c": "because of b", "d": "popular"}
    assert answer["fallback"] == ["fewer"]


def test_each_item_has_the_click_probability_of_the_user_and_the_item(running: RunningService) -> None:
    for user, age in (("u2", 40), ("nobody", None)):
        records = [{"age": age, "genre": genre} for genre in ("x", "x|y", "y", None)]
        scored = running.client.post("/score", json={"records": records}).json()["probabilities"]
        assert len({*scored}) > 1
        answer = asked(running, user=user, show=[])
        assert items(answer) == ["a", "b", "c", "d"]
        assert [one["probability"] for one in answer["items"]] == scored


def test_what_a_user_chose_is_recommended_again_where_the_dataset_says_so(tmp_path: Path) -> None:
    bundle = make_recommending_bundle(tmp_path / "bundle", replace(recommender(), repeats=True))
    arguments = ["--snapshots", str(write_snapshots(tmp_path))]
    with running_service(bundle, tmp_path, arguments=arguments) as service:
        again = asked(service, user="u1", history=["a", "a"])
        assert items(again) == ["c", "a", "b", "d"]
        assert again["fallback"] == ["fewer"]
        assert items(asked(service, user="u1", history=["a", "a"], seen=False)) == ["c", "d"]
        similar = service.client.post("/similar", json={"item": "a"})
        assert items(similar.json()) == ["b", "c", "d"], "an item is not similar to itself"


def test_a_history_is_added_to_the_users_own(running: RunningService) -> None:
    answer = asked(running, user="u1", history=["a"], top=1)
    assert [(one["item"], one["reason"]) for one in answer["items"]] == [("c", "because of b, a")]
    assert answer["fallback"] == []


@pytest.mark.parametrize(
    ("user", "fallback"),
    [
        ("u2", ["popular"]),
        (3, ["popular"]),
        ("3", ["popular"]),
        ("nobody", ["unknown_user", "popular"]),
        (17, ["unknown_user", "popular"]),
        ("", ["unknown_user", "popular"]),
        ("u1\0", ["unknown_user", "popular"]),
        ("x" * 1_000_000, ["unknown_user", "popular"]),
    ],
)
def test_users_without_a_known_item_get_popular_ones(
    running: RunningService, user: str | int, fallback: list[str]
) -> None:
    answer = asked(running, user=user, top=2)
    assert [(one["item"], one["reason"]) for one in answer["items"]] == [("a", "popular"), ("b", "popular")]
    assert answer["fallback"] == fallback


def test_an_unknown_user_with_a_history_is_recommended_by_it(running: RunningService) -> None:
    answer = asked(running, user="nobody", history=["b"], top=1)
    assert (items(answer), answer["fallback"]) == (["a"], ["unknown_user"])


@pytest.mark.parametrize("user", [b"1.5", b"null", b"true", b'["u1"]', b"{}"])
def test_a_user_of_another_type_is_refused(running: RunningService, user: bytes) -> None:
    answer = running.client.post("/recommend", content=b'{"user": ' + user + b"}", headers=JSON)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == ("wrong_type", "user")


def test_titles_are_shown_unless_the_request_names_other_columns(running: RunningService) -> None:
    first = asked(running, user="u1", top=1)["items"][0]
    assert first["columns"] == {"title": "Film a"}
    assert first["because"] == [{"item": "b", "columns": {"title": "Film b"}}]
    assert asked(running, user="u1", top=1, show=["genre", "title"])["items"][0]["columns"] == {
        "genre": "x",
        "title": "Film a",
    }
    assert asked(running, user="u1", top=1, show=[])["items"][0]["columns"] == {}
    answer = running.client.post("/recommend", json={"user": "u1", "show": ["title", "year"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_field")
    assert answer.json()["error"]["field"] == "show[1]"
    assert "it has title, genre" in answer.json()["error"]["message"]


def test_items_outside_of_the_catalogue_are_not_recommended(running: RunningService) -> None:
    assert sorted(items(asked(running, history=[], top=1000))) == ["a", "b", "c", "d"]


def test_the_user_is_not_in_the_log(running: RunningService) -> None:
    asked(running, user="u1")
    assert "u1" not in running.log_file.read_text().replace(str(running.log_file), "")


def test_snapshots_are_followed_and_survive_whatever_happens_to_their_files(bundle: Path, tmp_path: Path) -> None:
    snapshots = tmp_path / "snapshots"
    with running_service(
        bundle, tmp_path, arguments=["--snapshots", str(snapshots), "--workers", "1"], python=FOLLOWS_SOON
    ) as service:
        answer = asked(service, user="u1", top=1)
        assert (answer["fallback"], answer["catalogue"]) == (["no_histories", "popular"], None)
        write_snapshots(snapshots)
        wait_until(lambda: asked(service, user="u1", top=1)["fallback"] == [])
        version = write_catalogue(snapshots, {"c": "y"})
        wait_until(lambda: asked(service, user="u1")["catalogue"] == version)
        assert items(asked(service, user="u1")) == ["c"]

        logged = len(service.log())
        (snapshots / histories.FILE).unlink()
        (snapshots / catalogue.FILE).write_bytes(b"no catalogue")
        wait_until(lambda: sum(line["event"] == "snapshot not opened" for line in service.log()[logged:]) == 2)
        answer = asked(service, user="u1")
        assert (items(answer), answer["catalogue"], answer["fallback"]) == (["c"], version, ["fewer"])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"genre": ["x"]}, ["a", "b"]),
        ({"genre": ["y"]}, ["b", "c"]),
        ({"genre": ["x", "y"]}, ["a", "b", "c"]),
        ({"genre": [" y "]}, ["b", "c"]),
        ({"genre": ["x"], "title": ["Film b"]}, ["b"]),
        ({"genre": ["x"], "title": [" Film b"]}, []),
        ({"genre": ["x|y"]}, []),
        ({"genre": ["never"]}, []),
        ({"genre": [17]}, []),
        ({}, ["a", "b", "c", "d"]),
    ],
)
def test_a_filter_acts_on_the_whole_catalogue(
    running: RunningService, wanted: dict[str, list[object]], found: list[str]
) -> None:
    answer = asked(running, history=[], filter=wanted)
    assert items(answer) == found
    assert answer["fallback"] == ["popular", "fewer"]
    assert items(asked(running, history=[], filter=wanted, top=1)) == found[:1]


@pytest.mark.parametrize("field", ["filter", "at_most"])
def test_a_column_that_the_catalogue_lacks_is_refused(running: RunningService, field: str) -> None:
    value: object = ["x"] if field == "filter" else 1
    answer = running.client.post("/recommend", json={"user": "u1", field: {"year": value}})
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == ("unknown_field", f"{field}.year")


@pytest.mark.parametrize(
    "body", [{"filter": {"genre": "x"}}, {"filter": {"genre": []}}, {"at_most": {"genre": 0}}, {"seen": "yes"}]
)
def test_filters_and_limits_of_another_type_are_refused(running: RunningService, body: dict[str, object]) -> None:
    answer = running.client.post("/recommend", json={"user": "u1", **body})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"].startswith(next(iter(body)))


def test_no_more_items_than_allowed_share_a_value(running: RunningService) -> None:
    assert items(asked(running, history=[], at_most={"genre": 1})) == ["a", "c", "d"]
    assert items(asked(running, history=[], at_most={"genre": 1}, top=2)) == ["a", "c"]
    assert items(asked(running, history=[], at_most={"genre": 2, "title": 1})) == ["a", "b", "c", "d"]


def test_what_was_chosen_can_be_asked_for(running: RunningService) -> None:
    assert sorted(items(asked(running, user="u1", seen=True))) == ["a", "b", "c", "d"]
    assert items(asked(running, user="u1", seen=False)) == items(asked(running, user="u1"))


def test_everything_excluded_is_an_empty_answer(running: RunningService) -> None:
    answer = asked(running, user="u1", exclude=["a", "b", "c", "d", "17"])
    assert (items(answer), answer["fallback"]) == ([], ["fewer"])


def test_each_answer_has_its_own_event(running: RunningService) -> None:
    first, second = (asked(running, user="u1")["event_id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


def test_answers_about_unknown_users_are_counted(bundle: Path, tmp_path: Path) -> None:
    with running_service(
        bundle, tmp_path, arguments=["--snapshots", str(write_snapshots(tmp_path / "own"))]
    ) as service:
        for body in ({"user": "u1"}, {"user": "nobody"}, {"user": "no one"}, {"history": ["a", "gone"]}):
            asked(service, **body)
        assert service.client.post("/similar", json={"item": "a"}).status_code == 200
        assert service.client.post("/recommend", json={"user": "u1", "top": 0}).status_code == 400
        wait_until(
            lambda: 'scoring_fallbacks_total{fallback="unknown_user"} 2.0' in service.client.get("/metrics").text
        )
        assert 'scoring_fallbacks_total{fallback="unknown_items"} 1.0' in service.client.get("/metrics").text
        assert service.stop() == 0
        (line,) = (line for line in service.log() if line["event"] == "summary")
    assert (line["recommended"], line["unknown_users"]) == (4, 2)

    with running_service(bundle, tmp_path) as service:
        asked(service, user="u1")
        assert service.stop() == 0
        line = [line for line in service.log() if line["event"] == "summary"][-1]
    assert (line["recommended"], line["unknown_users"]) == (1, 1), "without histories nobody is known"
