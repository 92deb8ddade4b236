"""`POST /recommend` by the histories and the context that requests name, with one stage or two, and with positives
alone."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.bundle import Bundle, TreesError, seal
from recommend.recommender import FOLDER, GOLDEN, Recommender, read_golden
from scoring.model.model import open_ranking
from scoring.model.records import read_stored
from tests.scoring.contract.conftest import refusal
from tests.support.recommenders import (
    REJECTED,
    asked,
    items,
    make_bundle_of_positives,
    make_recommending_bundle,
    ranking_recommender,
    recommender,
    write_snapshots,
)
from tests.support.services import RunningService, run_scoring, running_service


@pytest.fixture(scope="module")
def running(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service without snapshots: ready, so it has reproduced the golden requests."""
    limits = ["--max-body-bytes", "300000"]
    with running_service(films, tmp_path_factory.mktemp("service"), arguments=limits) as service:
        yield service


def test_items_come_with_scores_and_the_items_that_they_are_recommended_for(running: RunningService) -> None:
    answer = asked(running, history=["a", "b"], top=2)
    assert answer["items"] == [
        {
            "item": "c",
            "score": 0.75,
            "probability": None,
            "reason": "history",
            "because": [{"item": "b", "columns": {}}, {"item": "a", "columns": {}}],
            "columns": {},
        },
        {"item": "d", "score": 0.0, "probability": None, "reason": "popular", "because": [], "columns": {}},
    ]
    assert answer["fallback"] == []
    assert answer["model"]["version"]


def test_order_and_repetition_of_the_history_make_no_difference(running: RunningService) -> None:
    orders = (["b", "a", "b"], ["a", "b"])
    first, second = (asked(running, history=history, top=2)["items"] for history in orders)
    assert first == second


def test_a_whole_number_is_the_key_of_its_text(running: RunningService) -> None:
    found = [asked(running, history=[key], exclude=[key], top=1)["items"] for key in (17, "17", "17.0", "1.7e+1")]
    assert found[0] == found[1] == found[2] != found[3], "floats are written with an exponent from 1e+16 on"


def test_excluded_items_are_left_out_and_unknown_ones_are_ignored(running: RunningService) -> None:
    assert items(asked(running, history=["b"], exclude=["a", "never seen"], top=2)) == ["c", "d"]


def test_unknown_items_of_the_history_are_left_out_and_reported(running: RunningService) -> None:
    answer = asked(running, history=["b", "never seen"], top=2)
    assert items(answer) == ["a", "c"]
    assert answer["fallback"] == ["unknown_items"]


@pytest.mark.parametrize(("history", "fallback"), [([], ["popular"]), (["new", 4], ["unknown_items", "popular"])])
def test_without_a_known_item_the_most_popular_ones_are_recommended(
    running: RunningService, history: list[object], fallback: list[str]
) -> None:
    answer = asked(running, history=history, top=2)
    assert [(one["item"], one["reason"]) for one in answer["items"]] == [("a", "popular"), ("b", "popular")]
    assert answer["fallback"] == fallback


def test_more_items_than_there_are_and_nothing_left_are_reported(running: RunningService) -> None:
    answer = asked(running, history=["a"], top=1000)
    assert sorted(items(answer)) == ["17", "b", "c", "d"]
    assert answer["fallback"] == ["fewer"]
    answer = asked(running, history=["a", "b", "c"], exclude=["d", 17])
    assert answer["items"] == []
    assert answer["fallback"] == ["fewer"]


def test_a_rejected_recommender_is_a_conflict_with_the_reason(tmp_path_factory: pytest.TempPathFactory) -> None:
    bundle = make_recommending_bundle(tmp_path_factory.mktemp("films") / "bundle", None)
    with running_service(bundle, tmp_path_factory.mktemp("service")) as service:
        answer = service.client.post("/recommend", json={"history": ["a"]})
        assert answer.status_code == 409
        assert answer.json()["error"] == {"code": "no_recommender", "message": REJECTED, "field": None}
        assert "/recommend" not in service.client.get("/openapi.json").json()["paths"]


def test_without_users_and_items_there_is_no_such_path(service: RunningService) -> None:
    for answer in (service.client.post("/recommend", json={"history": []}), service.client.get("/recommend")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that is ready, so it has reproduced the golden requests of both stages."""
    bundle = make_recommending_bundle(tmp_path_factory.mktemp("films") / "bundle", ranking_recommender())
    arguments = ["--snapshots", str(write_snapshots(tmp_path_factory.mktemp("snapshots")))]
    with running_service(bundle, tmp_path_factory.mktemp("service"), arguments=arguments) as service:
        yield service


def ranked(running: RunningService, **body: object) -> list[str]:
    return items(asked(running, **{"history": ["d"], "top": 3, **body}))


def test_trees_that_read_beyond_their_inputs_are_not_loaded(tmp_path: Path) -> None:
    bundle = make_recommending_bundle(tmp_path / "bundle", ranking_recommender())
    model = bundle / FOLDER / "ranking" / "model.txt"
    model.write_text(re.sub("split_feature=[0-9]", "split_feature=9", model.read_text(), count=1))
    with pytest.raises(TreesError, match=r"model\.txt was altered.*splits by an input beyond the"):
        Recommender.load(bundle / FOLDER, open_ranking)


def test_the_context_decides_between_items_that_the_first_stage_holds_equal(ranking: RunningService) -> None:
    assert ranked(ranking, context={"age": 20})[0] == "a"
    assert set(ranked(ranking, context={"age": 70})[:2]) == {"b", "c"}


def test_click_probabilities_are_those_of_the_context_before_those_of_stored_columns(ranking: RunningService) -> None:
    found = []
    for context, age in (({}, 40), ({"age": 5}, 5), ({"age": None}, None)):
        (only,) = asked(ranking, user="u2", context=context, exclude=["a", "b", "c"])["items"]
        scored = ranking.client.post("/score", json={"age": age}).json()["probability"]
        assert (only["item"], only["probability"]) == ("d", scored)
        found.append(scored)
    assert len({*found}) == 3


def test_a_column_that_is_null_is_missing(ranking: RunningService) -> None:
    assert ranked(ranking, context={"age": None, "town": None}) == ranked(ranking) == ranked(ranking, context={})


def test_a_whole_number_is_a_category(ranking: RunningService) -> None:
    assert ranked(ranking, context={"town": 17}) == ranked(ranking, context={"town": "17"})


@pytest.mark.parametrize(
    ("context", "code", "field"),
    [
        ({"year": 3}, "unknown_field", "context.year"),
        ({"age": "old"}, "wrong_type", "context.age"),
        ({"town": 1.5}, "wrong_type", "context.town"),
        ({"age": [1]}, "wrong_type", "context.age"),
        ([], "wrong_type", "context"),
    ],
)
def test_a_wrong_context_is_refused_by_column(ranking: RunningService, context: object, code: str, field: str) -> None:
    assert refusal(ranking, "/recommend", {"history": ["d"], "context": context}) == (400, code, field)


def test_stored_texts_are_read_as_the_columns_that_they_are() -> None:
    columns = ranking_recommender().user_columns
    assert read_stored({"age": "31", "town": "17", "shoe": "44"}, columns) == {"age": 31, "town": "17"}
    assert read_stored({"age": "", "town": ""}, columns) == {"age": None, "town": ""}


GENRES = dict.fromkeys(("a", "b", "c", "d", "17", "n"), "x")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose second stage reads the age of users and the year of items."""
    return Bundle.load(make_bundle_of_positives(tmp_path_factory.mktemp("shop") / "bundle", ranking_recommender()))


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """u1, who is 30, chose b and saw d; the item n is new."""
    return write_snapshots(tmp_path_factory.mktemp("snapshots"), genres=GENRES)


@pytest.fixture(scope="module")
def shop_service(shop: Bundle, snapshots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service of this bundle: ready, so it has reproduced the golden requests."""
    arguments = ["--snapshots", str(snapshots), "--new-items", "1", "--model-name", "shop", "--model-version", "3"]
    with running_service(shop.path, tmp_path_factory.mktemp("service"), arguments=arguments) as service:
        yield service


def shown(answer: Any) -> list[tuple[str, float | None, str]]:
    return [(one["item"], one["score"], one["reason"]) for one in answer["items"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/score", {"age": 30, "genre": "x"}),
        ("/score", {"records": [{"age": 30}, {"user": "u1", "item": "a"}]}),
        ("/score", {"no such column": 1}),
        ("/rank", {"user": {"age": 30}, "items": [{"genre": "x"}]}),
        ("/explain", {"age": 30}),
    ],
)
def test_what_needs_a_click_model_is_a_conflict_with_the_reason(
    shop_service: RunningService, path: str, body: object
) -> None:
    answer = shop_service.client.post(path, json=body)
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "no_click_model",
        "message": "This model does not give click probabilities: it was trained only on positives, which tell what "
        "users choose, and not how often they don't. It answers /recommend and /similar.",
        "field": None,
    }


def test_it_recommends_what_the_same_recommender_does_beside_a_click_model(
    shop_service: RunningService, snapshots: Path, tmp_path: Path
) -> None:
    """New items, context and similar items included; only the probabilities are missing."""
    beside = make_recommending_bundle(tmp_path / "bundle", ranking_recommender())
    bodies: list[dict[str, object]] = [
        {"user": "u1", "top": 4},
        {"user": "u1", "context": {"age": 70}},
        {"history": ["a", "c"]},
        {"history": [], "top": 3},
    ]
    with running_service(beside, tmp_path, arguments=["--snapshots", str(snapshots), "--new-items", "1"]) as other:
        for body in bodies:
            own, expected = asked(shop_service, **body), asked(other, **body)
            assert shown(own) == shown(expected)
            assert own["fallback"] == expected["fallback"]
            assert {one["probability"] for one in own["items"]} == {None}
            assert None not in {one["probability"] for one in expected["items"]}
        similar = [one.client.post("/similar", json={"item": "b"}).json() for one in (shop_service, other)]
    assert shown(similar[0]) == shown(similar[1])
    assert similar[0]["items"][0]["probability"] is None
    assert similar[0]["model"] == {"name": "shop", "version": "3"}


def test_golden_requests_are_compared_before_it_serves(tmp_path: Path) -> None:
    bundle = make_bundle_of_positives(tmp_path / "bundle", recommender())
    checked = run_scoring("--check", "--bundle", str(bundle))
    assert checked.returncode == 0
    assert "reproduces its 20 golden records with engine lightgbm." in checked.stdout
    golden = read_golden(bundle / FOLDER)
    place = next(place for place, one in enumerate(golden) if one.items)
    off = [score + 2e-9 for score in golden[place].scores]
    golden[place] = msgspec.structs.replace(golden[place], scores=off)
    (bundle / FOLDER / GOLDEN).write_bytes(msgspec.json.encode(golden))
    seal(bundle)
    checked = run_scoring("--check", "--bundle", str(bundle))
    assert checked.returncode == 1
    assert f"Golden request {place} " in checked.stderr


def test_a_bundle_without_any_model_is_not_served(shop: Bundle, tmp_path: Path) -> None:
    empty = Path(shutil.copytree(shop.path, tmp_path / "bundle"))
    shutil.rmtree(empty / FOLDER)
    seal(empty)
    checked = run_scoring("--check", "--bundle", str(empty))
    assert checked.returncode == 1
    assert "has no model to serve. Train the model again." in checked.stderr
