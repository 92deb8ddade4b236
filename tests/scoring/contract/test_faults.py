"""Faults the service must survive: bad bodies and requests by the thousand, killed workers, full disks."""

import asyncio
import http.client
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from features.bundle import Bundle
from features.schema import Schema
from tests.support.bad_input import bad_bodies, bad_requests
from tests.support.bundles import make_bundle
from tests.support.ports import free_port
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    RunningService,
    metric,
    running_service,
    sending,
    status_with,
    wait_until,
    worker,
    workers,
)

pytestmark = pytest.mark.slow

RecordProperty = Callable[[str, object], None]

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
GROWTH_BYTES = 20 << 20
"""Allowed growth of a worker's memory during the bad bodies: its cache of category values, and Python's reserves."""


@pytest.fixture
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that only this test's services use."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with columns of several values, crosses and factors."""
    schema = Schema(
        numeric=("int00",),
        categorical=("user", "cat00", "genres", "words"),
        separators={"genres": "|", "words": " "},
        crosses=(("user", "genres"), ("words", "cat00")),
        factors=("user", "cat00"),
    )
    return Bundle.load(make_bundle(tmp_path_factory.mktemp("several") / "bundle", schema=schema))


@pytest.mark.parametrize("columns", ["bundle", "several"])
@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])])
def test_bad_bodies_get_answers_and_cost_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, columns: str, count: int, record_property: RecordProperty
) -> None:
    bundle = request.getfixturevalue(columns)
    with running_service(bundle.path, tmp_path) as running:
        process = worker(running)
        statuses = _send(running, bundle, 500, seed=0)
        before = process.memory_info().rss
        statuses |= _send(running, bundle, count, seed=1)
        grown = process.memory_info().rss - before
        golden = bundle.click_model.golden[0]
        assert running.client.post("/score", json=golden.record).json()["probability"] == golden.probability
        assert not [line for line in running.log() if line["level"] == "error"]
    record_property("bytes grown", grown)
    assert statuses == {200, 400}
    assert grown < GROWTH_BYTES


@pytest.mark.parametrize("count", [1_000, pytest.param(50_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])])
def test_bad_requests_get_answers_or_an_end_and_cost_nothing(
    bundle: Bundle, tmp_path: Path, count: int, record_property: RecordProperty
) -> None:
    arguments = ["--client-seconds", "0.3", *LONG_TIMEOUTS]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        process = worker(running)
        asyncio.run(_send_raw(running, bad_requests(500, seed=0)))
        before, open_files = process.memory_info().rss, process.num_fds()
        statuses = asyncio.run(_send_raw(running, bad_requests(count, seed=1)))
        wait_until(lambda: process.num_fds() <= open_files)
        grown = process.memory_info().rss - before
        golden = bundle.click_model.golden[0]
        assert running.client.post("/score", json=golden.record).json()["probability"] == golden.probability
        assert not [line for line in running.log() if line["level"] != "info"]
    record_property("bytes grown", grown)
    record_property("statuses", dict(statuses))
    assert statuses.keys() <= {100, 200, 400, 401, 404, 405, 408, 413, 415, 431, 501}
    assert statuses.keys() >= {200, 400, 404, 405, 408, 431, 501}
    assert grown < GROWTH_BYTES


def test_a_worker_that_is_killed_costs_no_more_than_what_it_was_answering(two_workers: RunningService) -> None:
    clients = 16
    with sending(two_workers, clients) as statuses:
        wait_until(lambda: len(statuses) > 100)
        victim = next(iter(workers(two_workers)))
        victim.kill()
        assert status_with(KEY, two_workers.url) == 200
        wait_until(lambda: len(workers(two_workers)) == 2)
    assert victim not in workers(two_workers)
    (ended,) = [line for line in two_workers.log() if line["event"] == "a worker ended"]
    assert ended["next_in_seconds"] == 0, "its place is taken at once"
    assert statuses.count(0) <= clients, "a client loses one request, whether its connection was accepted or waited"
    assert set(statuses) <= {0, 200, 503}


def test_a_full_disk_costs_log_lines_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    port = free_port()
    with running_service(bundle.path, tmp_path, log_to=Path("/dev/full"), port=port) as running:
        for _ in range(50):
            assert running.client.post("/score", json={}).status_code == 200
        wait_until(lambda: metric(running, "scoring_log_lines_dropped_total") >= 50)
        assert running.stop() == 0


@pytest.mark.skipif(os.getuid() != 0, reason="a small disk of the test's own is mounted, which needs root")
def test_a_disk_that_fills_up_does_not_end_the_service(bundle: Bundle, tmp_path: Path, own_temporary: Path) -> None:
    small_disk = 'mount -t tmpfs -o size=4m tmpfs "$TMPDIR" && exec "$@"'
    python = ["unshare", "--mount", "sh", "-c", small_disk, "sh", sys.executable, "-m", "scoring"]
    with running_service(bundle.path, tmp_path, python=python) as running:
        filled = Path(f"/proc/{running.process.pid}/root{own_temporary}/filled")
        with filled.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        for path, status in (("/score", 200), ("/explain", 200), ("/rank", 400), ("/nothing", 404)):
            assert running.client.post(path, json={}).status_code == status
            counted = f'scoring_requests_total{{operation="{path[1:]}",status="{status}"}}'
            assert metric(running, counted.replace("nothing", "other")) == 1
        assert running.stop() == 0


def test_nothing_is_left_of_a_service_that_ended(bundle: Bundle, tmp_path: Path, own_temporary: Path) -> None:
    with running_service(bundle.path, tmp_path, arguments=["--workers", "2"]) as running:
        assert list(own_temporary.glob("scoring-metrics-*"))
        assert running.stop() == 0
        assert "Traceback" not in running.log_file.read_text()
    wait_until(lambda: not list(own_temporary.iterdir()))


def test_what_a_killed_service_left_goes_with_the_next_start(
    bundle: Bundle, tmp_path: Path, own_temporary: Path
) -> None:
    with running_service(bundle.path, tmp_path, arguments=["--workers", "2"]) as killed:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
    left = set(own_temporary.iterdir())
    assert [folder.name.startswith("scoring-metrics-") for folder in left] == [True]
    with running_service(bundle.path, tmp_path) as first, running_service(bundle.path, tmp_path) as second:
        assert not left & set(own_temporary.iterdir())
        # Files in use are kept, even when another service starts.
        assert len(set(own_temporary.glob("scoring-metrics-*"))) == 2
        assert first.client.get("/metrics").status_code == second.client.get("/metrics").status_code == 200


def _send(running: RunningService, bundle: Bundle, count: int, *, seed: int) -> set[int]:
    """Send bad bodies on one connection at a time; return the statuses. Each answer must be complete JSON."""
    url = httpx.URL(running.url)
    connection = http.client.HTTPConnection(url.host, url.port, timeout=20)
    statuses = set()
    for path, body in bad_bodies(bundle.schema, count, seed=seed):
        connection.request("POST", path, body, HEADERS)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        statuses.add(answer.status)
        assert ("error" in content) == (answer.status != 200), (path, body)
        assert answer.status < 500, (path, body)
    connection.close()
    return statuses


async def _send_raw(running: RunningService, requests: Iterator[bytes]) -> Counter[int]:
    """Send requests concurrently, each on its own connection; count the statuses. Answers must be complete JSON."""
    url = httpx.URL(running.url)
    statuses: Counter[int] = Counter()

    async def client() -> None:
        for request in requests:  # all clients share one iterator
            reader, writer = await asyncio.open_connection(url.host, url.port)
            received = b""
            with suppress(ConnectionError):
                writer.write(request)
                await writer.drain()
                with suppress(TimeoutError):
                    while part := await asyncio.wait_for(reader.read(65536), 0.6):
                        received += part
            writer.transport.abort()
            for answer in re.split(rb"HTTP/1\.1 (?=\d{3} )", received)[1:]:
                head, _, body = answer.partition(b"\r\n\r\n")
                status = int(head[:3])
                assert status < 500 or status == 501, request
                if body and b"application/json" in head:
                    assert ("error" in json.loads(body)) == (status != 200), request
                statuses[status] += 1

    await asyncio.gather(*(client() for _ in range(64)))
    return statuses
