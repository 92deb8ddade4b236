"""`POST /recommend` for users by id: the stored history, the catalogue, and what happens to both while it serves."""

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


def test_a_user_is_recommended_what_goes_with_their_history_and_nothing_of_it(film_service: RunningService) -> None:
    answer = asked(film_service, user="u1")
    reasons = {one["item"]: one["reason"] for one in answer["items"]}
    assert reasons == {"a": "because of b", "c": "because of b", "d": "popular"}
    assert answer["fallback"] == ["fewer"]


def test_each_item_has_the_click_probability_of_the_user_and_the_item(film_service: RunningService) -> None:
    for user, age in (("u2", 40), ("nobody", None)):
        records = [{"age": age, "genre": genre} for genre in ("x", "x|y", "y", None)]
        scored = film_service.client.post("/score", json={"records": records}).json()["probabilities"]
        assert len({*scored}) > 1
        answer = asked(film_service, user=user, show=[])
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


def test_a_history_is_added_to_the_users_own(film_service: RunningService) -> None:
    answer = asked(film_service, user="u1", history=["a"], top=1)
    assert [(one["item"], one["reason"]) for one in answer["items"]] == [("c", "because of b, a")]
    assert answer["fallback"] == []


@pytest.mark.parametrize(
    ("user", "fallback"),
    [
        ("u2", ["popular"]),
        (3, ["popular"]),
        ("3", ["popular"]),
        ("3.0", ["popular"]),
        ("nobody", ["unknown_user", "popular"]),
        (17, ["unknown_user", "popular"]),
        ("", ["unknown_user", "popular"]),
        ("u1\0", ["unknown_user", "popular"]),
        ("x" * 1_000_000, ["unknown_user", "popular"]),
    ],
)
def test_users_without_a_known_item_get_popular_ones(
    film_service: RunningService, user: str | int, fallback: list[str]
) -> None:
    answer = asked(film_service, user=user, top=2)
    assert [(one["item"], one["reason"]) for one in answer["items"]] == [("a", "popular"), ("b", "popular")]
    assert answer["fallback"] == fallback


def test_an_unknown_user_with_a_history_is_recommended_by_it(film_service: RunningService) -> None:
    answer = asked(film_service, user="nobody", history=["b"], top=1)
    assert (items(answer), answer["fallback"]) == (["a"], ["unknown_user"])


def test_titles_are_shown_unless_the_request_names_other_columns(film_service: RunningService) -> None:
    first = asked(film_service, user="u1", top=1)["items"][0]
    assert first["columns"] == {"title": "Film a"}
    assert first["because"] == [{"item": "b", "columns": {"title": "Film b"}}]
    assert asked(film_service, user="u1", top=1, show=["genre", "title"])["items"][0]["columns"] == {
        "genre": "x",
        "title": "Film a",
    }
    assert asked(film_service, user="u1", top=1, show=[])["items"][0]["columns"] == {}
    answer = film_service.client.post("/recommend", json={"user": "u1", "show": ["title", "year"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_field")
    assert answer.json()["error"]["field"] == "show[1]"
    assert "it has title, genre" in answer.json()["error"]["message"]


def test_items_outside_of_the_catalogue_are_not_recommended(film_service: RunningService) -> None:
    assert sorted(items(asked(film_service, history=[], top=1000))) == ["a", "b", "c", "d"]


def test_the_user_is_not_in_the_log(film_service: RunningService) -> None:
    asked(film_service, user="u1")
    assert "u1" not in film_service.log_file.read_text().replace(str(film_service.log_file), "")


def test_snapshots_are_followed_and_survive_whatever_happens_to_their_files(films: Path, tmp_path: Path) -> None:
    snapshots = tmp_path / "snapshots"
    with running_service(
        films, tmp_path, arguments=["--snapshots", str(snapshots), "--workers", "1"], python=FOLLOWS_SOON
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
    film_service: RunningService, wanted: dict[str, list[object]], found: list[str]
) -> None:
    answer = asked(film_service, history=[], filter=wanted)
    assert items(answer) == found
    assert answer["fallback"] == ["popular", "fewer"]
    assert items(asked(film_service, history=[], filter=wanted, top=1)) == found[:1]


def test_no_more_items_than_allowed_share_a_value(film_service: RunningService) -> None:
    assert items(asked(film_service, history=[], at_most={"genre": 1})) == ["a", "c", "d"]
    assert items(asked(film_service, history=[], at_most={"genre": 1}, top=2)) == ["a", "c"]
    assert items(asked(film_service, history=[], at_most={"genre": 2, "title": 1})) == ["a", "b", "c", "d"]


def test_what_was_chosen_can_be_asked_for(film_service: RunningService) -> None:
    assert sorted(items(asked(film_service, user="u1", seen=True))) == ["a", "b", "c", "d"]
    assert items(asked(film_service, user="u1", seen=False)) == items(asked(film_service, user="u1"))


def test_each_answer_has_its_own_event(film_service: RunningService) -> None:
    first, second = (asked(film_service, user="u1")["event_id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


def test_answers_about_unknown_users_are_counted(films: Path, tmp_path: Path) -> None:
    with running_service(films, tmp_path, arguments=["--snapshots", str(write_snapshots(tmp_path / "own"))]) as service:
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

    with running_service(films, tmp_path) as service:
        asked(service, user="u1")
        assert service.stop() == 0
        line = [line for line in service.log() if line["event"] == "summary"][-1]
    assert (line["recommended"], line["unknown_users"]) == (1, 1), "without histories nobody is known"
