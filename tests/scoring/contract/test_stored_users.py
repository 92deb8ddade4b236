"""Users and items by id: stored histories and columns, the catalogue, who was forgotten, and changes of all of them
while the service runs."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.schema import Schema
from features.values import KeyRule
from recommend import catalogue, histories
from recommend.catalogue import Catalogue, ItemRow, Layout, State
from recommend.first_stage import Blend, Mix
from recommend.forgotten import FILE, change
from recommend.histories import UserRow
from scoring.model.filtering import matching
from scoring.model.recommend_request import read_recommend
from tests.scoring.contract.conftest import refusal
from tests.support.recommenders import (
    asked,
    items,
    make_recommending_bundle,
    recommender,
    write_catalogue,
    write_snapshots,
)
from tests.support.services import FOLLOWS_SOON, RunningService, changed_service, running_service, wait_until


def following(bundle: Path, folder: Path, snapshots: Path) -> AbstractContextManager[RunningService]:
    """A service with one worker, which soon sees what changes in its snapshots."""
    arguments = ["--snapshots", str(snapshots), "--workers", "1"]
    return running_service(bundle, folder, arguments=arguments, python=FOLLOWS_SOON)


def because(recommended: Any) -> list[str]:
    return [one["item"] for one in recommended["because"]]


def test_a_user_is_recommended_what_goes_with_their_history_and_nothing_of_it(film_service: RunningService) -> None:
    answer = asked(film_service, user="u1")
    reasons = {one["item"]: (one["reason"], because(one)) for one in answer["items"]}
    assert reasons == {"a": ("history", ["b"]), "c": ("history", ["b"]), "d": ("popular", [])}
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


def test_weaker_choices_of_a_stored_history_count_less_than_the_strongest_which_are_not_offered(tmp_path: Path) -> None:
    """By hand: u1 viewed a, which counts half, as their own and for what goes with it, and bought b."""
    made = replace(recommender(), blend=Blend(mix=Mix(own=1.0, weaker=0.5)))
    bundle = make_recommending_bundle(tmp_path / "bundle", made)
    stored = histories.packed(np.array([0, 1]), np.array([1, 0], np.int8))
    histories.write(tmp_path / histories.FILE, made.items, [UserRow("u1", stored, {})], "user_id")
    with running_service(bundle, tmp_path, arguments=["--snapshots", str(tmp_path)]) as service:
        found = {one["item"]: one["score"] for one in asked(service, user="u1")["items"]}
        assert found == {"a": 0.5 + 0.5, "c": 0.5 * 0.25 + 0.5, "d": 0, "17": -0.25}
        bought = {one["item"]: one["score"] for one in asked(service, user="u1", history=["a"])["items"]}
        assert bought == {"c": 0.25 + 0.5, "d": 0, "17": -0.25}


def test_a_history_is_added_to_the_users_own(film_service: RunningService) -> None:
    answer = asked(film_service, user="u1", history=["a"], top=1)
    assert [(one["item"], because(one)) for one in answer["items"]] == [("c", ["b", "a"])]
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
        "genre": ["x"],
        "title": "Film a",
    }
    assert asked(film_service, user="u1", top=1, show=[])["items"][0]["columns"] == {}
    answer = film_service.client.post("/recommend", json={"user": "u1", "show": ["title", "year"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_field")
    assert answer.json()["error"]["field"] == "show[1]"
    assert "it has title, genre" in answer.json()["error"]["message"]


def test_the_user_is_not_in_the_log(film_service: RunningService) -> None:
    asked(film_service, user="u1")
    assert "u1" not in film_service.log_file.read_text().replace(str(film_service.log_file), "")


def test_snapshots_are_followed_and_survive_whatever_happens_to_their_files(films: Path, tmp_path: Path) -> None:
    snapshots = tmp_path / "snapshots"
    with following(films, tmp_path, snapshots) as service:
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


def test_what_is_wrong_with_an_altered_file_is_in_the_log_alone(films: Path, tmp_path: Path) -> None:
    """A client neither learns the server's paths nor can do anything about them."""
    snapshots = write_snapshots(tmp_path / "snapshots")
    with following(films, tmp_path, snapshots) as service:
        for name in (histories.FILE, catalogue.FILE):
            with (snapshots / name).open("r+b") as file:
                file.seek(4096)
                file.write(b"\xff" * ((snapshots / name).stat().st_size - 4096))
        for route, body in (("/score", {"user": "3"}), ("/recommend", {"user": "3", "filter": {"genre": ["x"]}})):
            refused = service.client.post(route, json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert str(tmp_path) not in refused.text
        wait_until(lambda: len(problems(service, "snapshot altered")) == 2)


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
        ({"genre": {"not": ["x"]}}, ["c", "d"]),
        ({"genre": {"not": [" y", "never"]}}, ["a", "d"]),
        ({"genre": {"not": ["x"]}, "title": {"not": ["Film d"]}}, ["c"]),
        ({}, ["a", "b", "c", "d"]),
    ],
)
def test_a_filter_acts_on_the_whole_catalogue(
    film_service: RunningService, wanted: dict[str, object], found: list[str]
) -> None:
    answer = asked(film_service, history=[], filter=wanted)
    assert items(answer) == found
    assert answer["fallback"] == ["popular", "fewer"]
    assert items(asked(film_service, history=[], filter=wanted, top=1)) == found[:1]


RANGES: list[tuple[dict[str, object], str]] = [
    ({"min": 24.72, "max": 24.72}, "ac"),
    ({"min": 24.73}, "b"),
    ({"max": 24.71}, ""),
    ({"min": -1e300, "max": 1e300}, "abc"),
    ({"not": [25]}, "acd"),
    ({"max": 30, "not": [24.72]}, "b"),
]
"""Of prices 24.72, 25, 24.72 and none: what is found of a, b, c and d."""
WRONG_RANGES: list[dict[str, object]] = [
    {"price": {"min": 2, "max": 1}},
    {"sku": {"max": 8}},
    {"price": {"min": "2"}},
    {"price": {"least": 2}},
    {"year": {"min": 2}},
]


def test_numbers_are_answered_filtered_and_counted_as_numbers(films: Path, tmp_path: Path) -> None:
    prices: dict[str, str | float] = {"a": 24.72, "b": 25.0, "c": "24.72", "d": ""}
    rows = [
        ItemRow(key, {"price": price, "genre": "x|y", "sku": "007"}, State.TRAINED) for key, price in prices.items()
    ]
    layout = Layout(item_column="id", separators={"price": "", "genre": "|", "sku": ""}, numbers=("price",))
    catalogue.write(tmp_path / catalogue.FILE, rows, layout)
    with running_service(films, tmp_path, arguments=["--snapshots", str(tmp_path), "--workers", "1"]) as service:
        body = {"history": [], "show": ["price", "genre", "sku"]}
        shown = service.client.post("/recommend", json=body).text
        assert shown.count('"columns":{"price":24.72,"genre":["x","y"],"sku":"007"}') == 2
        assert '"columns":{"price":25,"genre":["x","y"],"sku":"007"}' in shown
        for wanted, found in (([24.72], "ac"), ([25], "b"), ([25.0], "b"), (["24.72", 1], "ac"), (["x", 10**30], "")):
            assert items(asked(service, history=[], filter={"price": wanted})) == [*found], wanted
        for within, found in RANGES:
            assert items(asked(service, history=[], filter={"price": within})) == [*found], within
        assert items(asked(service, history=[], filter={"price": {"max": 30}, "genre": ["x"]}, top=2)) == ["a", "b"]
        assert items(asked(service, history=[], filter={"sku": [7]})) == ["a", "b", "c", "d"]
        refused = [refusal(service, "/recommend", {"history": [], "filter": wanted}) for wanted in WRONG_RANGES]
        assert refused == [
            (400, "out_of_range", "filter.price.min"),
            (400, "wrong_type", "filter.sku"),
            (400, "wrong_type", "filter.price.min"),
            (400, "unknown_field", "filter.price.least"),
            (400, "unknown_field", "filter.year"),
        ]
        assert items(asked(service, history=[], at_most={"price": 1})) == ["a", "b", "d"]
        schemas = service.client.get("/openapi.json").json()["components"]["schemas"]
        assert schemas["RecommendedItem"]["properties"]["columns"]["additionalProperties"]["anyOf"] == [
            {"type": "string"},
            {"type": "number"},
            {"type": "array", "items": {"type": "string"}},
        ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["38.0"], "b"),
        (["38"], "a"),
        ([38], "ab"),
        ([38.0, 1], "abde"),
        ([38.5, "3."], "cf"),
        (["7.0"], ""),
        ([3], "f"),
        ({"not": [38, "1.0"]}, "cefgh"),
        ({"not": ["38.0"]}, "acdefgh"),
        ([12345678901234567890], "h"),
        ([12345678901234567891, 38.4999], ""),
    ],
)
def test_a_text_is_found_as_it_is_written_and_a_number_by_its_value(
    tmp_path: Path, wanted: list[str | float] | dict[str, list[str | float]], found: str
) -> None:
    texts = ["38", "38.0", "38.5", "1.0", "+1", "3.", "7", "12345678901234567890"]
    sizes = dict(zip("abcdefgh", texts, strict=True))
    rows = [ItemRow(key, {"size": size}, State.TRAINED) for key, size in sizes.items()]
    catalogue.write(tmp_path / "c", rows, Layout(item_column="id", separators={"size": ""}))
    body = msgspec.json.encode({"history": [], "filter": {"size": wanted}})
    match = matching(read_recommend(body), Catalogue(tmp_path / "c", [*sizes]))
    assert match is not None
    assert "".join(key for key, fits in zip(sizes, match.tolist(), strict=True) if fits) == found


def test_no_more_items_than_allowed_share_a_value(film_service: RunningService) -> None:
    assert items(asked(film_service, history=[], at_most={"genre": 1})) == ["a", "c", "d"]
    assert items(asked(film_service, history=[], at_most={"genre": 1}, top=2)) == ["a", "c"]
    assert items(asked(film_service, history=[], at_most={"genre": 2, "title": 1})) == ["a", "b", "c", "d"]


def test_placements_share_the_best_items_and_repeat_none(film_service: RunningService) -> None:
    placements = [
        {"name": "first", "top": 1},
        {"name": "x", "filter": {"genre": ["x"]}},
        {"name": "rest"},
        {"name": "empty", "top": 3, "filter": {"title": ["Film a"]}},
    ]
    single = {one["item"]: one for one in asked(film_service, user="u2")["items"]}
    placed = asked(film_service, user="u2", placements=placements, details=True)
    assert [(one["name"], items(one), one["fallback"]) for one in placed["placements"]] == [
        ("first", ["a"], ["popular"]),
        ("x", ["b"], ["popular", "fewer"]),
        ("rest", ["c", "d"], ["popular", "fewer"]),
        ("empty", [], ["popular", "fewer"]),
    ]
    assert {one["item"]: one for part in placed["placements"] for one in part["items"]} == single
    assert (placed["items"], placed["fallback"], placed["known"]["chosen"]) == ([], ["popular", "fewer"], 0)


def test_the_limits_of_a_request_are_those_of_its_placements(film_service: RunningService) -> None:
    placements: list[dict[str, object]] = [
        {"name": "y"},
        {"name": "x", "filter": {"genre": ["x"]}},
        {"name": "titled", "filter": {"title": {"not": ["Film c"]}}},
    ]
    placed = asked(
        film_service,
        user="u2",
        exclude=["a"],
        filter={"genre": ["y"]},
        at_most={"title": 1},
        new=1,
        placements=placements,
    )
    assert [items(one) for one in placed["placements"]] == [["b", "c", "n4"], ["n1"], ["n2"]]


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
    assert answer(film_service, "/rank", by_id | {"user": "u1"}) == answer(film_service, "/rank", in_full)
    unknown = answer(film_service, "/rank", by_id | {"user": 3})
    assert unknown == answer(film_service, "/rank", in_full | {"user": {}})


def test_an_items_neighbours_are_what_its_users_chose(film_service: RunningService) -> None:
    found = answer(film_service, "/similar", {"item": "b", "top": 2})
    assert items(found) == items(asked(film_service, history=["b"], top=2)) == ["a", "c"]
    assert (found["items"][0]["reason"], because(found["items"][0])) == ("history", ["b"])
    assert items(answer(film_service, "/similar", {"item": "b", "exclude": ["a"], "filter": {"genre": ["x"]}})) == []
    assert refusal(film_service, "/similar", {"item": "b", "kind": "together"}) == (409, "no_baskets", "kind")


def test_what_is_like_an_item_that_nobody_chose_is_similar_then_what_is_popular(film_service: RunningService) -> None:
    """a, b, gone, n1 and n4 have x, and b, c, n2 and n4 have y: a value that n items have is worth 1 / (n + 5)."""
    found = answer(film_service, "/similar", {"item": "n4", "show": ["genre"]})
    x, y = 1 / (5 + 5), 1 / (4 + 5)
    assert [(one["item"], one["reason"], because(one)) for one in found["items"]] == [
        ("b", "attributes", ["n4"]),
        ("c", "attributes", ["n4"]),
        ("a", "attributes", ["n4"]),
        ("d", "popular", []),
    ]
    assert [one["score"] for one in found["items"]] == pytest.approx([(x + y) / 2**0.5, y, x, 0])
    assert found["items"][0]["because"] == [{"item": "n4", "columns": {"genre": ["x", "y"]}}]
    assert found["fallback"] == ["attributes", "popular", "fewer"]


@pytest.mark.parametrize(
    ("body", "found", "fallback"),
    [
        ({"item": "n2", "top": 2}, ["c", "b"], ["attributes"]),
        ({"item": "n3", "top": 2}, ["a", "b"], ["popular"]),
        ({"item": "d", "top": 2}, ["a", "b"], ["popular"]),
        ({"item": "gone", "top": 3, "exclude": ["b"]}, ["a", "c", "d"], ["attributes", "popular"]),
        ({"item": "n1", "top": 2, "filter": {"genre": ["y"]}}, ["b", "c"], ["attributes", "popular"]),
        ({"item": "n1", "top": 3, "at_most": {"genre": 1}}, ["a", "c", "d"], ["attributes", "popular"]),
        ({"item": "n1", "filter": {"title": ["Film n2"]}}, [], ["fewer"]),
    ],
)
def test_so_it_is_with_the_limits_of_a_request(
    film_service: RunningService, body: dict[str, object], found: list[str], fallback: list[str]
) -> None:
    similar = answer(film_service, "/similar", body)
    assert (items(similar), similar["fallback"]) == (found, fallback)


def test_keys_of_requests_are_compared_as_the_dataset_config_says(tmp_path: Path) -> None:
    rule = KeyRule(lowercase=True, strip=True)
    schema = Schema(numeric=("age",), categorical=("genre",), keys={"users": rule, "items": rule})
    bundle = make_recommending_bundle(tmp_path / "bundle", recommender(), schema=schema)
    snapshots = write_snapshots(tmp_path / "own" / "snapshots")
    change(snapshots.parent / FILE, lambda before: before.with_user("u2", rule))
    with running_service(bundle, tmp_path, arguments=["--snapshots", str(snapshots)]) as service:
        assert asked(service, user=" U1 ")["items"] == asked(service, user="u1")["items"]
        assert items(asked(service, history=["B"], exclude=[" A"])) == items(
            asked(service, history=["b"], exclude=["a"])
        )
        for route, body in (("/similar", {"item": "B "}), ("/score", {"user": "U1", "item": " A"})):
            written = {name: key.strip().lower() for name, key in body.items()}
            assert _without_id(answer(service, route, body)) == _without_id(answer(service, route, written))
        assert "unknown_user" in asked(service, user="U2 ")["fallback"], "who was forgotten"


def _without_id(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "event_id"}


def test_a_whole_number_is_the_same_key_however_json_writes_it(film_service: RunningService) -> None:
    for route, body in [
        ("/recommend", '{"user": %s, "exclude": [%s], "history": [%s]}'),
        ("/similar", '{"item": %s}'),
        ("/score", '{"user": %s, "genre": "x"}'),
        ("/rank", '{"user": %s, "items": [{}]}'),
    ]:
        texts = [body.replace("%s", key).encode() for key in ('"17"', "17", "17.0", "1.7e1")]
        headers = {"content-type": "application/json"}
        answers = [film_service.client.post(route, content=text, headers=headers) for text in texts]
        assert {one.status_code for one in answers} == {200}
        assert all(_without_id(one.json()) == _without_id(answers[0].json()) for one in answers)


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


UNKNOWN = ["unknown_user", "popular"]


def forget(file: Path, user: str) -> None:
    change(file, lambda before: before.with_user(user))


def remember(file: Path, user: str) -> None:
    change(file, lambda before: before.without_user(user))


def answered(service: RunningService, user: str) -> list[str]:
    """The fallbacks of recommendations for a user."""
    return [*asked(service, user=user, top=2)["fallback"]]


def answered_within_a_minute(service: RunningService, user: str, fallback: list[str]) -> None:
    wait_until(lambda: answered(service, user) == fallback, seconds=60)


def problems(service: RunningService, event: str = "snapshot not opened") -> list[str]:
    """Why files could not be opened, as logged."""
    return [line["reason"] for line in service.log() if line["event"] == event]


def test_a_user_is_unknown_once_forgotten_and_known_once_that_is_undone(films: Path, tmp_path: Path) -> None:
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    with following(films, tmp_path, snapshots) as service:
        assert answered(service, "u1") == []
        forget(snapshots.parent / FILE, "u1")
        answered_within_a_minute(service, "u1", UNKNOWN)
        assert answered(service, "u2") == ["popular"]
        forget(snapshots.parent / FILE, "3.0")
        answered_within_a_minute(service, "3", UNKNOWN)
        remember(snapshots.parent / FILE, "u1")
        answered_within_a_minute(service, "u1", [])
        assert answered(service, "3") == UNKNOWN


def test_no_click_probability_is_by_the_key_or_the_columns_of_one_who_was_forgotten(tmp_path: Path) -> None:
    key = "00000001"  # the most frequent one that `make_bundle` draws
    schema = Schema(numeric=("age",), categorical=("user_id",))
    bundle = make_recommending_bundle(tmp_path / "bundle", recommender(), schema=schema)
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    histories.write(snapshots / histories.FILE, ["b"], [UserRow(key, bytes(4), {"age": "30"})], "user_id")
    with following(bundle, tmp_path, snapshots) as service:

        def probabilities(user: dict[str, object]) -> set[float]:
            bodies = [
                ("/score", user),
                ("/explain", user),
                ("/score", {"records": [{}, user, user]}),
                ("/rank", {"user": user, "items": [{}]}),
                ("/rank", {"user": {}, "items": [user]}),
                *([("/rank", user | {"items": [{}]}), ("/recommend", user)] if "user" in user else []),
            ]
            answers = [answer(service, route, body) for route, body in bodies]
            single = [one for found in answers for one in (found, *found.get("items", ())) if "probability" in one]
            return {one["probability"] for one in single} | {*answers[2]["probabilities"][1:]}

        (known,), (unknown,) = probabilities({"user_id": key, "age": 30}), probabilities({})
        assert probabilities({"user": key}) == {known} != {unknown}
        assert asked(service, user=key, details=True)["known"]["chosen"] == 1
        forget(snapshots.parent / FILE, key)
        wait_until(lambda: probabilities({"user": key}) == {unknown})
        known_of_them = asked(service, user=key, details=True)["known"]
        assert known_of_them == {"history": [], "chosen": 0, "columns": {}}


@pytest.mark.parametrize("gone", [False, True])
def test_a_list_that_becomes_unreadable_stays_in_force(films: Path, tmp_path: Path, *, gone: bool) -> None:
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    forget(snapshots.parent / FILE, "u1")
    whole = (snapshots.parent / FILE).read_bytes()
    with following(films, tmp_path, snapshots) as service:
        assert answered(service, "u1") == UNKNOWN
        if gone:
            (snapshots.parent / FILE).unlink()
        else:
            (snapshots.parent / FILE).write_bytes(whole[:-1])
        wait_until(lambda: len(problems(service)) == 1)
        version = histories.write(snapshots / histories.FILE, ["b"], [UserRow("u9", b"", {})], "user_id")
        wait_until(lambda: any(line.get("version") == version for line in service.log()))
        assert (answered(service, "u1"), answered(service, "u9")) == (UNKNOWN, ["popular"])
        (snapshots.parent / FILE).write_bytes(whole)
        remember(snapshots.parent / FILE, "u1")
        answered_within_a_minute(service, "u9", ["popular"])
        assert len(problems(service)) == 1, "looked at several times, and told once"


@pytest.mark.parametrize("altered", [True, False])
def test_nobody_is_known_as_long_as_the_list_cannot_be_read_at_a_start(
    films: Path, tmp_path: Path, *, altered: bool
) -> None:
    """It was altered, or the system can't say whether there is one: a link to itself can't be followed."""
    snapshots = write_snapshots(tmp_path / "snapshots" / "version")
    if altered:
        (snapshots.parent / FILE).write_bytes(b"{}")
    else:
        (snapshots.parent / FILE).symlink_to(FILE)
    with following(films, tmp_path, snapshots) as service:
        assert answered(service, "u1") == ["no_histories", "popular"]
        assert asked(service, user="u1")["catalogue"] is not None
        by_id, nobody = ({"user": "u1", "genre": "x"}, {"genre": "x"})
        scores = service.client.post("/score", json={"records": [by_id, nobody]}).json()["probabilities"]
        assert scores[0] == scores[1]
        (snapshots.parent / FILE).unlink()
        forget(snapshots.parent / FILE, "u2")
        answered_within_a_minute(service, "u1", [])
        assert answered(service, "u2") == UNKNOWN
        (problem,) = problems(service)
        assert ("forgotten.json, the list of forgotten users, was altered" in problem) is altered
        assert ("Too many levels of symbolic links" in problem) is not altered


@pytest.mark.parametrize("error", ["SnapshotError('it was locked')", "RuntimeError('it was locked')"])
@pytest.mark.parametrize("opened", ["Histories", "Catalogue"])
def test_a_file_that_cannot_be_opened_once_is_tried_again_and_withholds_no_other(
    films: Path, tmp_path: Path, opened: str, error: str
) -> None:
    folder, locked = write_snapshots(tmp_path / "snapshots" / "version"), tmp_path / "locked"
    locked.touch()
    code = f"""
from pathlib import Path
from recommend.stored import SnapshotError
from scoring.worker import snapshots
snapshots.LOOK_SECONDS = 0.25
opened = snapshots.{opened}
def open_(*arguments):
    if Path({str(locked)!r}).exists():
        raise {error}
    return opened(*arguments)
snapshots.{opened} = open_
"""
    arguments = ["--snapshots", str(folder), "--workers", "1"]
    with running_service(films, tmp_path, arguments=arguments, python=changed_service(code)) as service:
        answer = asked(service, user="u1")
        found = (answer["fallback"][0] != "no_histories", answer["catalogue"] is not None)
        assert found == (opened != "Histories", opened != "Catalogue")
        locked.unlink()
        wait_until(lambda: asked(service, user="u1")["catalogue"] is not None and answered(service, "u1") == [])
        (problem,) = problems(service)
        assert problem.endswith("it was locked")
