"""Another bundle behind the path that is served: it takes over between two requests, or not at all."""

import threading
from pathlib import Path

import httpx
import pytest

from features.bundle import MODEL, Bundle
from tests.support.bundles import make_bundle
from tests.support.services import KEY, RunningService, running_service, wait_until


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another bundle."""
    return make_bundle(tmp_path / "other", rows=500, seed=7, trees=3)


def test_a_new_bundle_takes_over_without_a_lost_request(bundle: Bundle, other: Path, tmp_path: Path):
    link = _link(tmp_path, bundle.path)
    statuses: list[int] = []
    with running_service(link, tmp_path) as service:
        stop = threading.Event()

        def send() -> None:
            with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {KEY}"}) as client:
                while not stop.is_set():
                    statuses.append(client.post("/score", json=bundle.golden[0].record).status_code)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        _turn(link, other)
        wait_until(lambda: _hash(service) == Bundle.load(other).hash, seconds=20)
        stop.set()
        for thread in threads:
            thread.join()
        golden = Bundle.load(other).golden[0]
        found = service.client.post("/score", json=golden.record).json()["probability"]
    assert found == pytest.approx(golden.probability, abs=1e-9)
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_a_new_bundle_that_is_altered_leaves_the_old_one(bundle: Bundle, other: Path, tmp_path: Path):
    (other / MODEL).write_text("nothing")
    link = _link(tmp_path, bundle.path)
    with running_service(link, tmp_path) as service:
        _turn(link, other)
        wait_until(lambda: any("old one stays" in line["event"] for line in service.log()))
        assert _hash(service) == bundle.hash
        golden = bundle.golden[0]
        found = service.client.post("/score", json=golden.record).json()["probability"]
    assert found == pytest.approx(golden.probability, abs=1e-9)


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
