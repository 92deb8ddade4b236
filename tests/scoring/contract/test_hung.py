"""Workers that hang, end or cannot start, and services whose parents go: what serves on, and what comes back."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from features.bundle import Bundle
from tests.support.bundles import make_bundle
from tests.support.checkout import free_port
from tests.support.raw_http import HEALTH, answer, connected, score
from tests.support.services import (
    KEY,
    OTHER_KEY,
    RunningService,
    running_service,
    status_with,
    wait_until,
    workers,
)

pytestmark = pytest.mark.slow

COUNTED = 'scoring_requests_total{operation="score",status="200"} 1.0'


@pytest.fixture
def two_workers(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service with two workers."""
    with running_service(bundle.path, tmp_path, arguments=["--workers", "2"]) as running:
        wait_until(lambda: len(workers(running)) == 2)
        yield running


def test_a_worker_that_stands_still_is_replaced(two_workers: RunningService) -> None:
    hung = min(workers(two_workers), key=lambda one: one.pid)
    hung.send_signal(signal.SIGSTOP)
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
    wait_until(lambda: _attempts(two_workers) >= 2)
    assert two_workers.process.poll() is None
    time.sleep(3)
    assert _attempts(two_workers) <= 6
    for _ in range(10):
        with connected(two_workers) as connection:
            connection.sendall(score())
            assert answer(connection)[0] == 200
    two_workers.keys_file.write_text(key)
    wait_until(lambda: sum(line["event"] == "ready" for line in two_workers.log()) == 3)


def test_metrics_count_the_living_and_files_do_not_pile_up(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "metrics"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    with running_service(bundle.path, tmp_path, arguments=["--workers", "2"]) as running:
        wait_until(lambda: len(workers(running)) == 2)
        assert running.client.post("/score", json={}).status_code == 200
        wait_until(lambda: COUNTED in _metrics(running))  # a worker that is killed loses what it has not told yet
        files = len(list(folder.glob("*.db")))
        for killed in range(1, 4):
            workers(running).pop().kill()
            wait_until(lambda number=killed: sum(line["event"] == "ready" for line in running.log()) == 2 + number)
        assert len(list(folder.glob("*.db"))) == files
        shutil.copy(next(folder.glob("gauge_livesum_*.db")), folder / "gauge_livesum_9.db")  # of a slot that nobody has
        wait_until(lambda: len(workers(running)) == 2)
        text = _metrics(running)
        assert "scoring_ready_workers 2.0" in text
        assert COUNTED in text


def test_a_circle_of_links_in_place_of_the_bundle_stops_no_other_duty(bundle: Bundle, tmp_path: Path) -> None:
    link = tmp_path / "served"
    link.symlink_to(bundle.path)
    with running_service(link, tmp_path) as running:
        link.unlink()
        link.symlink_to(link)
        wait_until(lambda: any("old one stays" in line["event"] for line in running.log()))
        running.keys_file.write_text(OTHER_KEY)
        wait_until(lambda: status_with(KEY, running.url) == 401)
        assert status_with(OTHER_KEY, running.url) == 200


def test_answers_name_the_version_that_gave_them(tmp_path: Path) -> None:
    for version, seed in ((1, 1), (2, 2)):
        image = tmp_path / f"image-{version}"
        make_bundle(image / "model", rows=500, trees=2, seed=seed)
        (image / "image.json").write_text(f'{{"model_name": "clicks", "model_version": {version}}}')
    link = tmp_path / "current"
    link.symlink_to("image-1")
    keys, log, port = tmp_path / "keys", tmp_path / "log", free_port()
    keys.write_text(KEY)
    command = [sys.executable, "-m", "scoring", "--image", str(link), "--keys-file", str(keys), "--port", str(port)]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _version(url) == "1")
            link.unlink()
            link.symlink_to("image-2")
            wait_until(lambda: _version(url) == "2")
        finally:
            process.terminate()


def test_a_new_connection_is_answered_while_the_service_leaves_a_socket_that_it_was_given(
    bundle: Bundle, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        port = listener.getsockname()[1]
        many = ["--address-requests", "100000"]  # a fast machine asks often before the signal is heard
        with running_service(bundle.path, tmp_path, descriptor=listener.fileno(), arguments=many) as running:
            idle = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            idle.request("GET", "/healthz")
            idle.getresponse().read()
            running.process.send_signal(signal.SIGTERM)
            headers: dict[str, str] = {}
            while "connection" not in headers:  # the first ones may be answered before the signal is heard
                with socket.create_connection(("127.0.0.1", port), timeout=20) as late:
                    late.sendall(HEALTH)
                    status, headers, _ = answer(late)
            assert (status, headers["connection"]) == (200, "close")
            assert running.process.wait(60) == 0


def test_a_service_outlives_the_shell_that_started_it(bundle: Bundle, tmp_path: Path) -> None:
    keys, log, number, port = tmp_path / "keys", tmp_path / "log", tmp_path / "number", free_port()
    keys.write_text(KEY)
    command = f"{sys.executable} -m scoring --bundle {bundle.path} --keys-file {keys} --port {port}"
    subprocess.run(["sh", "-c", f"{command} >{log} 2>&1 & echo $! >{number}; sleep 5"], check=True)
    process = psutil.Process(int(number.read_text()))
    try:
        wait_until(lambda: process.ppid() != os.getpid() and "ready" in log.read_text())
        time.sleep(1)
        assert status_with(KEY, f"http://127.0.0.1:{port}") == 200
    finally:
        process.terminate()
        process.wait(60)


def _attempts(service: RunningService) -> int:
    started = [line for line in service.log() if line["event"] == "worker started"]
    return len(started) - 2


def _metrics(service: RunningService) -> str:
    return service.client.get("/metrics").text


def _version(url: str) -> str | None:
    try:
        answered = httpx.post(f"{url}/score", json={}, headers={"authorization": f"Bearer {KEY}"})
    except httpx.TransportError:
        return None
    return str(answered.json()["model"]["version"]) if answered.is_success else None
