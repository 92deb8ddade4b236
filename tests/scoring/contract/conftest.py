"""One small bundle and one running service for all contract tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from features.bundle import Bundle
from scoring.engines import EngineName
from tests.support.bundles import make_bundle
from tests.support.containers import PULLED, ImageBuilder, running_container, what_is_missing
from tests.support.recommenders import make_recommending_bundle, recommender, write_snapshots
from tests.support.services import (
    LONG_TIMEOUTS,
    RunningService,
    is_ready,
    metric,
    running_service,
    wait_until,
    workers,
)

MAX_RECORDS = 200
MAX_BODY_BYTES = 300_000
NEW_ITEMS = {"n1": "x", "n2": "y", "n3": "", "n4": "x|y"}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with the Criteo schema."""
    return Bundle.load(make_bundle(tmp_path_factory.mktemp("contract") / "bundle"))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageBuilder]:
    """Builds images; they take several GB and are removed after the tests."""
    if missing := what_is_missing():
        assert not PULLED, f"The images were to be built on the recipe's own bases: {missing}."
        pytest.skip(f"No image can be built here: {missing}.")
    place = tmp_path_factory.mktemp("images")
    yield ImageBuilder(place)
    shutil.rmtree(place)


@pytest.fixture(
    scope="session",
    params=["process", pytest.param("image", marks=[pytest.mark.full, pytest.mark.timeout(1800)])],
)
def service(
    request: pytest.FixtureRequest, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service with one worker: once as a process of this environment, once as a container."""
    limits = ["--max-records", str(MAX_RECORDS), "--max-body-bytes", str(MAX_BODY_BYTES), *LONG_TIMEOUTS]
    folder = tmp_path_factory.mktemp("service")
    if request.param == "image":
        image = request.getfixturevalue("images").build(bundle.path, EngineName.LIGHTGBM)
        with running_container(image, folder, arguments=limits) as running:
            wait_until(lambda: is_ready(running))
            yield running
    else:
        arguments = ["--model-name", "clicks", "--model-version", "7", *limits]
        with running_service(bundle.path, folder, arguments=arguments) as running:
            yield running


@pytest.fixture
def own_service(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service for one test, which may damage it, and whose log has no other test's requests."""
    with running_service(bundle.path, tmp_path) as running:
        yield running


@pytest.fixture
def two_workers(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service for one test, with two workers that are ready."""
    with running_service(bundle.path, tmp_path, arguments=["--workers", "2"]) as running:
        wait_until(lambda: len(workers(running)) == 2 and metric(running, "scoring_ready_workers") == 2)
        yield running


@pytest.fixture
def client(service: RunningService) -> httpx.Client:
    return service.client


@pytest.fixture
def record(bundle: Bundle) -> dict[str, Any]:
    """A record in which no feature is missing."""
    return next(
        dict(one.record)
        for one in bundle.click_model.golden
        if all(value not in (None, "") for value in one.record.values())
    )


@pytest.fixture
def bundle_copy(tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return make_bundle(tmp_path / "bundle", rows=500, trees=2)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a click model of age and genre, and a recommender of the items a, b, c, d and 17."""
    return make_recommending_bundle(tmp_path_factory.mktemp("films") / "bundle", recommender())


@pytest.fixture(scope="session")
def film_service(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service of this bundle with snapshots: u1 is 30 and chose b, u2 is 40 and chose none. n1 to n4 are new items,
    `gone` is one that somebody chose and the recommender lacks, and `withdrawn` is not in the catalogue any more."""
    genres = {"a": "x", "b": "x | y", "c": " y", "d": "", "gone": "x"}  # with spaces, as people write several values
    folder = tmp_path_factory.mktemp("films")
    snapshots = write_snapshots(folder / "snapshots", genres=genres | NEW_ITEMS, withdrawn=["withdrawn"])
    arguments = ["--snapshots", str(snapshots), "--max-body-bytes", "2000000"]
    with running_service(films, folder, arguments=arguments) as running:
        yield running


def as_json(value: object) -> bytes:
    return msgspec.json.encode(value)


def refusal(service: RunningService, path: str, body: object) -> tuple[int, str, str | None]:
    """The status, code and field of the answer to a body, given as bytes or as a value."""
    content = body if isinstance(body, bytes) else as_json(body)
    answer = service.client.post(path, content=content, headers={"content-type": "application/json"})
    error = answer.json()["error"]
    assert error["message"].endswith(".")
    return answer.status_code, error["code"], error["field"]
