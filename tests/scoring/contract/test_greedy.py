"""Clients that ask for too much: too many requests at once, pipelined too far, in too many chunks, or with bodies that
nobody reads and that stop midway, with which a client without a key must not take room."""

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from features.bundle import Bundle
from tests.support.raw_http import HEAD, answer, connected, everything, only_answer, score
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    OTHER_KEY,
    RunningService,
    running_service,
    status_with,
    wait_until,
    worker,
)

pytestmark = pytest.mark.slow

SCORE = score()
ROOM = 100_000
"""The limit in bytes of bodies that wait."""
SIZE = 60_000
"""Two bodies of this size are above that limit."""

LENGTH = b"content-length: %d\r\n\r\n" % SIZE
CHUNK = b"transfer-encoding: chunked\r\n\r\n%x\r\n" % SIZE
BARE = b"%b HTTP/1.1\r\nhost: x\r\n"
KEYLESS = HEAD.replace(b"authorization: Bearer " + KEY.encode() + b"\r\n", b"")
BEGUN = {
    "a wrong method": (405, BARE % b"POST /healthz" + LENGTH),
    "a health check": (200, BARE % b"GET /healthz" + LENGTH),
    "chunks": (200, BARE % b"GET /readyz" + CHUNK),
    "a client that asks first": (200, BARE % b"GET /readyz" + b"expect: 100-continue\r\n" + LENGTH),
    "another path": (401, BARE % b"POST /nothing" + LENGTH),
    "no key": (401, KEYLESS + LENGTH),
    "no key and chunks": (401, KEYLESS + CHUNK),
    "a wrong key": (401, HEAD.replace(KEY.encode(), b"wrong") + LENGTH),
    "a wrong key and method": (401, HEAD.replace(KEY.encode(), b"wrong").replace(b"POST", b"PUT") + LENGTH),
}


@pytest.fixture(scope="module")
def narrow(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with little room for requests that wait, in which clients may stall for as long as the tests take."""
    limits = ["--max-queue", "2", "--max-bytes-waiting", str(ROOM), "--client-seconds", "3600", *LONG_TIMEOUTS]
    with running_service(bundle.path, tmp_path_factory.mktemp("narrow"), arguments=limits) as running:
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


@pytest.mark.parametrize(("status", "begun"), BEGUN.values(), ids=BEGUN)
def test_bodies_of_clients_without_a_key_take_no_room(narrow: RunningService, status: int, begun: bytes) -> None:
    own = b" " * (ROOM - 10) + b"{}"
    with ExitStack() as stack:
        strangers = [stack.enter_context(connected(narrow)) for _ in range(5)]
        for stranger in strangers:
            with suppress(ConnectionError):  # the service may have closed it
                stranger.sendall(begun + b" " * (SIZE - 1))
        for _ in range(2):
            client = stack.enter_context(connected(narrow))
            client.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(own) + own)
            assert answer(client)[0] == 200
        for stranger in strangers:  # they are answered without the rest of their bodies
            assert answer(stranger)[0] == status


@pytest.mark.parametrize("framing", [b"content-length: 1000000\r\n\r\n", CHUNK], ids=["long", "of unknown length"])
def test_a_body_that_nobody_reads_ends_the_connection_if_it_may_be_long(narrow: RunningService, framing: bytes) -> None:
    with connected(narrow) as connection:
        connection.sendall(BARE % b"GET /healthz" + framing + b" " * 1000)
        assert only_answer(connection) == (200, {"status": "running"})


def test_a_short_body_that_nobody_reads_leaves_the_connection_usable(narrow: RunningService) -> None:
    with connected(narrow) as connection:
        for path in (b"/healthz", b"/readyz", b"/healthz"):
            connection.sendall(BARE % (b"GET " + path) + b"content-length: 2\r\n\r\n{}")
            assert answer(connection)[0] == 200


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


def _answered_first(one: socket.socket, other: socket.socket) -> bool:
    ready, _, _ = select.select([one, other], [], [], 60)
    return ready[0] is one
