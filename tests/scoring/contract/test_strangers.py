"""Hundreds of clients without a key: they must not take anything from clients with a key."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

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


def test_more_clients_with_a_key_than_there_is_room_for_end_the_idlest(small: RunningService) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(small)) for _ in range(2)]
        for client in clients:
            client.sendall(SCORE)
            assert answer(client)[0] == 200
        for _ in range(MOST):
            more = stack.enter_context(connected(small))
            more.sendall(SCORE)
            assert answer(more)[0] == 200
        assert [client.recv(1) for client in clients] == [b"", b""]


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
