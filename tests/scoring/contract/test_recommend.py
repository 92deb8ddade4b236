"""`POST /recommend`: every kind of history, and what is done where it does not give enough items."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.recommenders import REJECTED, asked, items, make_recommending_bundle
from tests.support.services import RunningService, running_service


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
            "reason": "because of b, a",
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
