"""Clients with a key that ask for too much: too many requests at once, pipelined too far, or in too many chunks."""

import json
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from features.bundle import Bundle
from tests.support.bundles import make_bundle
from tests.support.raw_http import HEAD, answer, connected, everything, only_answer, score
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    OTHER_KEY,
    RunningService,
    running_service,
    status_with,
    stopped,
    wait_until,
    worker,
)

pytestmark = pytest.mark.slow

SCORE = score()
ROOM = 100_000
"""The limit in bytes of bodies that wait."""


@pytest.fixture
def narrow(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service with little space for waiting requests."""
    limits = ["--max-queue", "2", "--max-bytes-waiting", str(ROOM), "--client-seconds", "60"]
    with running_service(bundle.path, tmp_path, arguments=limits) as running:
        yield running


def sent_ahead(running: RunningService, number: int) -> list[int]:
    """Statuses of `number` requests sent at once, so that a slow machine makes no difference."""
    with connected(running) as connection:
        connection.sendall(SCORE * number)
        received = b""
        while received.count(b"HTTP/1.1 ") < number or not received.endswith(b"}"):
            received += connection.recv(1 << 20)
    return [int(one[:3]) for one in received.split(b"HTTP/1.1 ")[1:]]


def test_requests_sent_ahead_count_as_waiting(narrow: RunningService) -> None:
    statuses = sent_ahead(narrow, 30)
    assert statuses[:2] == [200, 200]
    assert 503 in statuses


def test_bodies_that_wait_have_limited_room_together(narrow: RunningService) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(connected(narrow)) for _ in range(2))
        size = ROOM * 6 // 10
        for connection in (first, second):
            connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % size + b" " * (size - 2))
        ended, kept = (second, first) if _answered_first(second, first) else (first, second)
        status, body = only_answer(ended)
        assert (status, body["error"]["code"]) == (503, "overloaded")
        kept.sendall(b"{}")
        assert answer(kept)[0] == 200
        later = stack.enter_context(connected(narrow))  # there is space again
        later.sendall(HEAD + b"content-length: %d\r\n\r\n" % size + b" " * (size - 2) + b"{}")
        assert answer(later)[0] == 200


def test_clients_that_break_off_give_their_room_back(narrow: RunningService) -> None:
    body = b" " * 80_000 + b"{}"

    def accepted() -> bool:
        with connected(narrow) as connection, suppress(ConnectionError):
            connection.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            return connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        return False

    for resets in (False, True):
        with connected(narrow) as connection:
            connection.sendall(HEAD + b"content-length: 90000\r\n\r\n" + b" " * 80_000)
            wait_until(lambda: not accepted())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", resets, 0))
        wait_until(accepted)


def test_a_body_in_thousands_of_tiny_chunks_is_refused_and_costs_no_memory(bundle: Bundle, tmp_path: Path) -> None:
    with running_service(bundle.path, tmp_path) as running:
        process = worker(running)
        before = process.memory_info().rss
        with ExitStack() as stack:
            connections = [stack.enter_context(connected(running)) for _ in range(4)]
            for connection in connections:
                with suppress(ConnectionError):
                    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"2\r\n  \r\n" * 1_000_000)
            for connection in connections:
                with suppress(ConnectionError):
                    status, body = only_answer(connection)
                    assert (status, body["error"]["code"]) == (400, "invalid_http")
            assert process.memory_info().rss - before < 20 << 20
        assert running.client.post("/score", json={}).status_code == 200


def test_requests_behind_a_body_that_is_too_large_are_no_error(bundle: Bundle, tmp_path: Path) -> None:
    with running_service(bundle.path, tmp_path, arguments=["--max-body-bytes", "70000"]) as running:
        with connected(running) as connection:
            connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
            with suppress(ConnectionError):
                connection.sendall(b"11170\r\n" + b" " * 70_000 + b"\r\n1\r\n \r\n0\r\n\r\n" + SCORE * 3)
            received = b""
            with suppress(ConnectionError):
                received = everything(connection)
        assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 413 ") == 1
        assert running.stop() == 0
        assert not [line for line in running.log() if line["level"] != "info"]


def test_a_key_may_be_held_to_a_rate_which_is_its_own_and_spares_readiness(bundle: Bundle, tmp_path: Path) -> None:
    keys = [f"mobile-app={KEY}", f"batch={OTHER_KEY}"]
    with running_service(bundle.path, tmp_path, arguments=["--key-requests", "1"], keys=keys) as running:
        answers = [running.client.get("/readyz") for _ in range(8)]  # as a rollout asks
        assert all(answer.json()["key_accepted"] for answer in answers)
        assert set(sent_ahead(running, 20)) == {200, 429}
        assert status_with(OTHER_KEY, running.url) == 200


def test_the_use_of_each_key_is_counted_by_its_name(bundle: Bundle, tmp_path: Path) -> None:
    keys = [f"mobile-app={KEY}", OTHER_KEY]
    with running_service(bundle.path, tmp_path, keys=keys) as running:
        for key in (KEY, KEY, OTHER_KEY):
            assert status_with(key, running.url) == 200
        headers = {"authorization": f"Bearer {OTHER_KEY}"}
        text = httpx.get(f"{running.url}/metrics", headers=headers).text
        assert 'scoring_key_requests_total{key="mobile-app"} 2.0' in text
        assert 'scoring_key_requests_total{key="key-2"} 1.0' in text
        assert KEY not in text


def test_what_is_explained_holds_up_no_score(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", trees=1000)
    explain = SCORE.replace(b"/score", b"/explain")
    with running_service(bundle, tmp_path, arguments=LONG_TIMEOUTS) as running, ExitStack() as stack:
        explained = [stack.enter_context(connected(running)) for _ in range(10)]
        scored = stack.enter_context(connected(running))
        with stopped(running):  # a slow client would send the score after the last explanation
            for connection in explained:
                connection.sendall(explain)
            scored.sendall(SCORE)
        for connection in (scored, *explained):
            status, _, body = answer(connection)
            assert status == 200
        assert "contributions" in json.loads(body)
        wait_until(lambda: len(_operations(running)) == 11)
        assert "explain" in _operations(running)[_operations(running).index("score") :], "all had to wait"


def _operations(service: RunningService) -> list[str]:
    """The operations of the requests, in the order of the answers."""
    return [line["operation"] for line in service.log() if line["event"] == "request"]


def _answered_first(one: socket.socket, other: socket.socket) -> bool:
    ready, _, _ = select.select([one, other], [], [], 60)
    return ready[0] is one
