"""Workers that hang, end or cannot start, and services whose parent ends: the rest keeps serving, workers return."""

from itertools import pairwise
from pathlib import Path
from signal import SIGKILL, SIGSTOP

import pytest

from features.bundle import Bundle
from tests.support.raw_http import answer, connected, score
from tests.support.services import (
    RunningService,
    metric,
    running_service,
    wait_until,
    workers,
)

pytestmark = pytest.mark.slow

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
