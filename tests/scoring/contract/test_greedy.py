"""Clients that ask for too much, of requests, bytes, chunks or connections; those without a key must not take anything
from those with one."""

import json
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from features.bundle import Bundle
from tests.support.certificates import make_certificate
from tests.support.raw_http import HEAD, HEALTH, answer, connected, everything, only_answer, score
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    OTHER_KEY,
    RunningService,
    changed_service,
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
        answered, _, _ = select.select([second, first], [], [], 60)
        ended, kept = (second, first) if answered[0] is second else (first, second)
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


STILL_CLOCK = """
from scoring.http import admission
from tests.support.clock import Clock
admission.time = Clock(now=1.0)
"""
"""A service that takes all requests for those of the same moment."""

NO_KEY = SCORE.replace(KEY.encode(), b"not-the-key-of-this-service")
UPGRADE = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
MOST = 20
"""The limit of connections with a key, and also that of connections without one."""


@pytest.fixture
def small(bundle: Bundle, tmp_path: Path) -> Iterator[RunningService]:
    """A service that accepts few connections."""
    limits = ["--max-connections", str(MOST), "--address-requests", "10000"]
    with running_service(bundle.path, tmp_path, arguments=limits) as running:
        yield running


@pytest.mark.parametrize(
    "sent", [HEALTH, b"POST /score HTTP/1.1\r\nhost: x\r\nx-more: "], ids=["idle", "half a request"]
)
def test_strangers_take_no_place_of_clients_with_a_key(small: RunningService, sent: bytes) -> None:
    with ExitStack() as stack:
        before = stack.enter_context(_client(small, KEY))
        for _ in range(10 * MOST):
            with suppress(ConnectionError):  # the service may close it before it has all
                stack.enter_context(connected(small)).sendall(sent)
        before.sendall(SCORE)
        assert answer(before)[0] == 200
        for _ in range(3):
            stack.enter_context(_client(small, KEY))
        wait_until(lambda: worker(small).num_fds() < 5 * MOST)


def test_clients_whose_key_was_removed_keep_no_place(bundle: Bundle, tmp_path: Path) -> None:
    arguments = ["--max-connections", str(MOST), "--client-seconds", "3600", *LONG_TIMEOUTS]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running, ExitStack() as stack:
        idle, head, *stalled = [stack.enter_context(_client(running, KEY)) for _ in range(MOST)]
        head.sendall(HEAD[:20])
        for client in stalled:
            client.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        running.keys_file.write_text(OTHER_KEY)
        wait_until(lambda: status_with(OTHER_KEY, running.url) == 200)
        for _ in range(MOST):
            stack.enter_context(_client(running, OTHER_KEY))
        assert idle.recv(1) == b""
        for client in (head, *stalled):
            assert only_answer(client)[0] == 401


def test_handshakes_that_never_end_are_as_few_as_other_strangers(bundle: Bundle, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key), "--max-connections", str(MOST)]
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    with running_service(bundle.path, tmp_path, arguments=tls, scheme="https") as running, ExitStack() as stack:
        before = worker(running).num_fds()
        for _ in range(10 * MOST):
            with suppress(ConnectionError):
                stack.enter_context(connected(running)).sendall(b"\x16\x03\x01")
        client = trust.wrap_socket(stack.enter_context(connected(running)))
        client.sendall(SCORE)
        assert answer(client)[0] == 200
        wait_until(lambda: worker(running).num_fds() <= before + MOST)


def test_a_packet_full_of_upgrades_gets_no_more_answers_than_may_be_sent_ahead(small: RunningService) -> None:
    with connected(small) as connection:
        with suppress(ConnectionError):
            connection.sendall(UPGRADE * 3000)
        received = b""
        with suppress(ConnectionError):
            received = everything(connection)
    assert 1 <= received.count(b"HTTP/1.1 401 ") <= 33
    assert small.client.post("/score", json={}).status_code == 200
    assert not [line for line in small.log() if line["level"] == "error"]


def test_an_address_without_a_key_may_not_ask_as_often_as_it_likes(bundle: Bundle, tmp_path: Path) -> None:
    arguments, python = [*LONG_TIMEOUTS, "--address-requests", "5"], changed_service(STILL_CLOCK)
    with running_service(bundle.path, tmp_path, arguments=arguments, python=python) as running:
        with connected(running) as stranger:
            for _ in range(5):
                stranger.sendall(NO_KEY)
                assert answer(stranger)[0] == 401
            stranger.sendall(NO_KEY)
            status, headers, body = answer(stranger)
        assert (status, headers["retry-after"]) == (429, "1")
        assert json.loads(body)["error"]["code"] == "too_many_requests"
        # A client with the key, from the same address, is answered.
        assert [running.client.post("/score", json={}).status_code for _ in range(30)] == [200] * 30


def test_many_addresses_without_a_key_share_a_limit(bundle: Bundle, tmp_path: Path) -> None:
    with running_service(bundle.path, tmp_path, arguments=["--address-requests", "1"]) as running, ExitStack() as stack:
        place = (running.client.base_url.host, running.client.base_url.port or 0)
        strangers = [
            stack.enter_context(socket.create_connection(place, timeout=60, source_address=(f"127.0.0.{number}", 0)))
            for number in range(2, 12)
        ]
        with stopped(running):  # whatever the machine's speed, they ask within the same moment
            for stranger in strangers:
                stranger.sendall(NO_KEY)
        statuses = [answer(stranger)[0] for stranger in strangers]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) < 10


def test_checks_of_the_health_count_as_requests_without_a_key(bundle: Bundle, tmp_path: Path) -> None:
    with running_service(bundle.path, tmp_path, arguments=["--address-requests", "5"]) as running:
        with connected(running) as stranger:
            stranger.sendall(HEALTH * 20)
            received = b""
            while b"HTTP/1.1 429 " not in received and received.count(b"HTTP/1.1 ") < 20:
                received += stranger.recv(65536)
        assert b"HTTP/1.1 429 " in received


def test_refusals_without_end_write_a_few_lines_and_their_number(small: RunningService) -> None:
    with connected(small) as connection:
        for _ in range(300):
            connection.sendall(NO_KEY)
            assert answer(connection)[0] == 401
    assert small.stop() == 0
    lines = [line for line in small.log() if line.get("status") == 401]
    written = [line for line in lines if line["event"] == "request"]
    (rest,) = [line for line in lines if line["event"] == "requests without a line"]
    assert 0 < len(written) <= 100
    assert len(written) + rest["count"] == 300


def test_ids_of_requests_are_no_other_workers(two_workers: RunningService) -> None:
    ids = []
    for _ in range(40):
        with connected(two_workers) as connection:
            connection.sendall(HEALTH)
            ids.append(answer(connection)[1]["x-request-id"])
    assert len(set(ids)) == len(ids)


@contextmanager
def _client(running: RunningService, key: str) -> Iterator[socket.socket]:
    """A connection over which a score was answered."""
    with connected(running) as connection:
        connection.sendall(SCORE.replace(KEY.encode(), key.encode()))
        assert answer(connection)[0] == 200
        yield connection
