"""The life of a service: keys that change, workers that hang or end, shutdown without a lost request, and its end."""

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from features.bundle import Bundle
from scoring.http.clients import SHUTDOWN_SECONDS
from scoring.worker.logs import MOST_BYTES
from tests.scoring.contract.conftest import as_json
from tests.support.ports import free_port
from tests.support.raw_http import answer, connected, score
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    OTHER_KEY,
    RunningService,
    accepts,
    changed_service,
    client_ports,
    metric,
    running_service,
    status_with,
    wait_until,
    workers,
)

pytestmark = pytest.mark.slow


def test_two_keys_are_valid_at_a_time_and_follow_the_file(own_service: RunningService) -> None:
    assert status_with(OTHER_KEY, own_service.url) == 401
    own_service.keys_file.write_text(f"{KEY}\n\n{OTHER_KEY}\n")
    wait_until(lambda: status_with(OTHER_KEY, own_service.url) == 200)
    assert status_with(KEY, own_service.url) == 200
    own_service.keys_file.write_text(f"{OTHER_KEY}\n")
    wait_until(lambda: status_with(KEY, own_service.url) == 401)
    assert status_with(OTHER_KEY, own_service.url) == 200


def test_a_keys_file_that_is_spoilt_leaves_the_old_keys_valid(own_service: RunningService) -> None:
    def complaints() -> int:
        return sum("keys not read again" in line["event"] for line in own_service.log())

    own_service.keys_file.write_text("short\n")
    wait_until(lambda: complaints() == 1)
    assert status_with(KEY, own_service.url) == 200
    own_service.keys_file.unlink()
    wait_until(lambda: complaints() == 2)
    assert status_with(KEY, own_service.url) == 200


def test_an_open_request_is_answered_after_the_signal_to_end(own_service: RunningService) -> None:
    url = httpx.URL(own_service.url)
    with socket.create_connection((url.host, url.port or 0), timeout=60) as connection:
        head = f"POST /score HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
        connection.sendall(head.encode() + b"content-length: 2\r\n\r\n{")
        wait_until(lambda: own_service.client.get("/healthz").status_code == 200)
        own_service.process.terminate()
        wait_until(lambda: not accepts(own_service))
        assert own_service.process.poll() is None
        connection.sendall(b"}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert own_service.process.wait(60) == 0


def test_workers_end_when_their_parent_is_killed(two_workers: RunningService) -> None:
    both = workers(two_workers)
    two_workers.process.kill()
    _, alive = psutil.wait_procs(both, timeout=60)
    assert alive == []


def test_a_log_file_that_grew_large_is_renamed_and_no_line_is_lost(bundle: Bundle, tmp_path: Path) -> None:
    file, port = tmp_path / "scoring.log", free_port()
    older, oldest = tmp_path / "scoring.log.1", tmp_path / "scoring.log.2"
    arguments = ["--workers", "2", "--log-file", str(file)]
    with running_service(bundle.path, tmp_path, arguments=arguments, port=port, log_to=tmp_path / "stderr") as running:
        for renamed in (older, oldest):
            assert not renamed.exists()
            with file.open("a") as log:
                log.write("x" * MOST_BYTES + "\n")
            wait_until(renamed.exists)
            for _ in range(10):
                assert status_with(KEY, running.url) == 200
        assert running.stop() == 0
    lines = [line for one in (oldest, older, file) for line in one.read_text().splitlines()]
    assert sum('"event":"request"' in line for line in lines) == 20
    assert '"event":"request"' in file.read_text()
    assert "stopped" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "stderr").read_text() == ""


COUNTED = 'scoring_requests_total{operation="score",status="200"}'


def test_a_worker_that_stands_still_is_replaced(two_workers: RunningService) -> None:
    hung = min(workers(two_workers), key=lambda one: one.pid)
    hung.send_signal(SIGSTOP)
    wait_until(lambda: not hung.is_running() and len(workers(two_workers)) == 2)
    assert any(line["event"] == "a worker hangs and is ended" for line in two_workers.log())
    for _ in range(20):
        with connected(two_workers) as connection:
            connection.sendall(score())
            assert answer(connection)[0] == 200


def test_a_worker_that_cannot_start_again_ends_nobody_and_is_tried_less_and_less(two_workers: RunningService) -> None:
    key = two_workers.keys_file.read_text()
    two_workers.keys_file.unlink()
    workers(two_workers).pop().kill()
    wait_until(lambda: len(_attempts(two_workers)) >= 3)
    assert two_workers.process.poll() is None
    failed = [line for line in two_workers.log() if line["event"] == "a worker ended" and line["code"] != -SIGKILL]
    pauses = [line["next_in_seconds"] for line in failed]
    assert all(later == 2 * earlier > 0 for earlier, later in pairwise(pauses))
    for (earlier, later), pause in zip(pairwise(_attempts(two_workers)), pauses, strict=False):
        assert later - earlier > pause - 0.01, "it was tried before its time"
    for _ in range(10):
        with connected(two_workers) as connection:
            connection.sendall(score())
            assert answer(connection)[0] == 200
    two_workers.keys_file.write_text(key)
    wait_until(lambda: sum(line["event"] == "ready" for line in two_workers.log()) == 3)


def test_metrics_count_the_living_and_files_do_not_pile_up(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_service(bundle.path, tmp_path, arguments=["--workers", "2"]) as running:
        wait_until(lambda: len(workers(running)) == 2)
        assert running.client.post("/score", json={}).status_code == 200
        wait_until(lambda: metric(running, COUNTED) == 1)  # a killed worker loses what it has not reported yet
        (folder,) = tmp_path.glob("scoring-metrics-*")
        files = len(list(folder.glob("*.db")))
        for killed in range(1, 4):
            workers(running).pop().kill()
            wait_until(lambda number=killed: sum(line["event"] == "ready" for line in running.log()) == 2 + number)
        assert len(list(folder.glob("*.db"))) == files
        wait_until(lambda: len(workers(running)) == 2)
        assert metric(running, "scoring_ready_workers") == 2
        assert metric(running, COUNTED) == 1


def _attempts(service: RunningService) -> list[float]:
    """When workers were started after the first two, in seconds."""
    return [line["timestamp"] for line in service.log() if line["event"] == "worker started"][2:]


PATIENT = "from scoring.http import connection; connection.SHUTDOWN_SECONDS = 60.0"
HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


@pytest.fixture
def shutting_down(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service for one test, which waits at shutdown until a slow machine has sent its next request."""
    arguments = ["--workers", "2", *LONG_TIMEOUTS, "--drain-seconds", "60"]
    with running_service(bundle.path, tmp_path, arguments=arguments, python=changed_service(PATIENT)) as running:
        running.client.close()  # its connection is idle, too
        yield running


def connect(service: RunningService) -> http.client.HTTPConnection:
    place = urlsplit(service.url)
    return http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=60)


def scored(connection: http.client.HTTPConnection, record: dict[str, Any]) -> tuple[int, str | None]:
    """The status of a request on an open connection, and the answer's `Connection` header."""
    connection.request("POST", "/score", as_json(record), HEADERS)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["connection"]


@pytest.mark.parametrize("has_asked", [True, False])
def test_the_next_request_on_an_open_connection_is_answered_and_the_last(
    shutting_down: RunningService, record: dict[str, Any], *, has_asked: bool
) -> None:
    connection = connect(shutting_down)
    connection.connect()
    port = connection.sock.getsockname()[1]
    wait_until(lambda: port in client_ports(shutting_down))
    assert not has_asked or scored(connection, record) == (200, None)
    shutting_down.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not accepts(shutting_down))
    assert scored(connection, record) == (200, "close")
    assert shutting_down.process.wait(60) == 0


def test_an_idle_client_holds_the_service_for_a_moment_only(
    bundle: Bundle, tmp_path: Path, record: dict[str, Any]
) -> None:
    arguments = ["--workers", "2", *LONG_TIMEOUTS, "--drain-seconds", "3600"]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        connection = connect(running)
        assert scored(connection, record) == (200, None)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began > SHUTDOWN_SECONDS - 1
        assert isinstance(connection.sock, socket.socket)
        assert connection.sock.recv(1) == b""
