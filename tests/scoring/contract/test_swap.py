"""Another bundle behind the path that is served: it takes over between two requests, or not at all."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from features.bundle import MODEL, SCHEMA, Bundle, seal
from tests.support.bundles import make_bundle, write_golden
from tests.support.services import KEY, RunningService, running_service, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another bundle."""
    return make_bundle(tmp_path / "other", rows=500, seed=7, trees=3)


def test_a_new_bundle_takes_over_without_a_lost_request(bundle: Bundle, other: Path, tmp_path: Path) -> None:
    link = _link(tmp_path, bundle.path)
    with running_service(link, tmp_path) as service:
        with _clients(service, bundle) as statuses:
            _wait_for_answers(statuses)
            _turn(link, other)
            wait_until(lambda: _hash(service) == Bundle.load(other).hash, seconds=20)
            _wait_for_answers(statuses)
        golden = Bundle.load(other).golden[0]
        found = service.client.post("/score", json=golden.record).json()["probability"]
    assert found == pytest.approx(golden.probability, abs=1e-9)
    assert len(statuses) > 20
    assert set(statuses) == {200}


def _alter(other: Path) -> None:
    (other / MODEL).write_text("nothing")


def _write_a_model_that_is_none(other: Path) -> None:
    (other / MODEL).write_text("nothing")
    seal(other)


def _foresee_other_probabilities(other: Path) -> None:
    golden = Bundle.load(other).golden
    write_golden(other, [dict(one.record) for one in golden], [one.probability / 2 for one in golden])
    seal(other)


def _give_the_schema_another_column(other: Path) -> None:
    schema = (other / SCHEMA).read_text().replace("cat00", "cat99")
    (other / SCHEMA).write_text(schema)
    seal(other)


@pytest.mark.parametrize(
    "spoil",
    [_alter, _write_a_model_that_is_none, _foresee_other_probabilities, _give_the_schema_another_column, shutil.rmtree],
)
def test_a_new_bundle_that_cannot_be_served_leaves_the_old_one(
    bundle: Bundle, other: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(other)
    link = _link(tmp_path, bundle.path)
    with running_service(link, tmp_path) as service, _clients(service, bundle) as statuses:
        _wait_for_answers(statuses)
        _turn(link, other)
        wait_until(lambda: any("old one stays" in line["event"] for line in service.log()))
        assert _hash(service) == bundle.hash
        golden = bundle.golden[0]
        found = service.client.post("/score", json=golden.record).json()["probability"]
        # What watches the bundle's place watches on, over the keys and for a bundle that is right.
        service.keys_file.write_text(f"{KEY}\n{KEY[::-1]}\n")
        wait_until(lambda: any(line["event"] == "keys read again" for line in service.log()))
        _wait_for_answers(statuses)
    assert found == pytest.approx(golden.probability, abs=1e-9)
    assert set(statuses) == {200}


@contextmanager
def _clients(service: RunningService, bundle: Bundle) -> Iterator[list[int | str]]:
    """Three clients that ask all the time; yields the status of each answer, or why there was none."""
    statuses: list[int | str] = []
    stop = threading.Event()

    def send() -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=20) as client:
            while not stop.is_set():
                try:
                    statuses.append(client.post("/score", json=bundle.golden[0].record).status_code)
                except httpx.TransportError as error:
                    statuses.append(repr(error))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _wait_for_answers(statuses: list[int | str], *, more: int = 11) -> None:
    """Until so many more requests have their answers, however slow the machine is."""
    enough = len(statuses) + more
    wait_until(lambda: len(statuses) >= enough, seconds=60)


def _link(folder: Path, target: Path) -> Path:
    link = folder / "served"
    link.symlink_to(target)
    return link


def _turn(link: Path, target: Path) -> None:
    aside = link.with_name("aside")
    aside.symlink_to(target)
    aside.rename(link)


def _hash(service: RunningService) -> str:
    return str(service.client.get("/readyz").json()["bundle_hash"])
