"""The running service: key changes, metrics, draining, and its end."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from features.bundle import Bundle
from scoring.worker.logs import MOST_BYTES
from tests.support.ports import free_port
from tests.support.services import (
    KEY,
    OTHER_KEY,
    RunningService,
    accepts,
    running_service,
    status_with,
    wait_until,
    workers,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def own_service(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service that a test may damage."""
    with running_service(bundle.path, tmp_path) as running:
        yield running


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
