"""A model of positives alone: it recommends, and says that it gives no click probabilities."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.bundle import Bundle, seal
from recommend.recommender import FOLDER, GOLDEN, read_golden
from tests.support.recommenders import (
    asked,
    make_bundle_of_positives,
    make_recommending_bundle,
    ranking_recommender,
    recommender,
    write_snapshots,
)
from tests.support.services import RunningService, run_scoring, running_service

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
def running(shop: Bundle, snapshots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
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
    running: RunningService, path: str, body: object
) -> None:
    answer = running.client.post(path, json=body)
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "no_click_model",
        "message": "This model gives no click probabilities: it was trained on positives alone, which tell what users "
        "choose, and not how often they don't. It answers /recommend and /similar.",
        "field": None,
    }


def test_it_recommends_what_the_same_recommender_does_beside_a_click_model(
    running: RunningService, snapshots: Path, tmp_path: Path
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
            own, expected = asked(running, **body), asked(other, **body)
            assert shown(own) == shown(expected)
            assert own["fallback"] == expected["fallback"]
            assert {one["probability"] for one in own["items"]} == {None}
            assert None not in {one["probability"] for one in expected["items"]}
        similar = [one.client.post("/similar", json={"item": "b"}).json() for one in (running, other)]
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
