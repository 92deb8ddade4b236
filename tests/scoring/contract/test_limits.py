"""Limits for slow, greedy, broken and too many clients."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from features.bundle import Bundle
from scoring.http.clients import KEEP_ALIVE_SECONDS
from scoring.http.reader import MAX_PIPELINED
from tests.support.raw_http import HEAD, HEALTH, answer, connected, everything, only_answer, score
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    RunningService,
    client_ports,
    metric,
    running_service,
    stopped,
    wait_until,
)

SCORE = score()


@pytest.fixture(scope="module")
def tight(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service in which at most two requests may wait, and a client has one second to send its request."""
    limits = ["--max-queue", "2", "--client-seconds", "1", *LONG_TIMEOUTS]
    with running_service(bundle.path, tmp_path_factory.mktemp("tight"), arguments=limits) as running:
        yield running


def test_garbage_behind_a_request_costs_only_the_connection(service: RunningService) -> None:
    with connected(service) as connection:
        connection.sendall(SCORE + b"\x00garbage\r\n\r\n")
        status, body = only_answer(connection)
    assert status == 200
    assert "probability" in body


@pytest.mark.parametrize(
    ("sent", "code"),
    [(b"POST /score HTTP/1.1\r\nhost:", "slow_head"), (HEAD + b"content-length: 2\r\n\r\n", "slow_body")],
)
def test_a_request_that_does_not_arrive_is_refused_in_time(tight: RunningService, sent: bytes, code: str) -> None:
    began = time.monotonic()
    with connected(tight) as connection:
        connection.sendall(sent)
        status, body = only_answer(connection)
    assert (status, body["error"]["code"]) == (408, code)
    assert time.monotonic() - began > 0.9


def test_a_connection_that_says_nothing_is_closed(tight: RunningService) -> None:
    with connected(tight) as connection:
        assert connection.recv(100) == b""


def test_a_client_without_a_key_may_be_idle_no_longer_than_it_may_send(tight: RunningService) -> None:
    with connected(tight) as connection:
        connection.sendall(HEALTH)
        assert answer(connection)[0] == 200
        connection.settimeout(KEEP_ALIVE_SECONDS / 2)
        assert connection.recv(1) == b""


@pytest.mark.slow
def test_a_client_that_does_not_take_its_answers_is_left(bundle: Bundle, tmp_path: Path) -> None:
    arguments = ["--max-records", "10000", "--client-seconds", "3", *LONG_TIMEOUTS]
    request = score({"records": [{}] * 10_000})
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        with connected(running) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            port = connection.getsockname()[1]
            wait_until(lambda: port in client_ports(running))
            connection.sendall(request * MAX_PIPELINED)  # whose answers are more than the system's buffers hold
            wait_until(lambda: port not in client_ports(running))
        assert running.client.post("/score", json={}).status_code == 200
        assert running.stop() == 0
        assert {line["status"] for line in running.log() if line["event"] == "request"} == {200}


@pytest.mark.parametrize(
    "request_sent", [SCORE, SCORE.replace(KEY.encode(), b"wrong"), SCORE.replace(b"/json", b"/xml"), HEALTH]
)
def test_a_connection_ends_after_as_many_pipelined_requests_as_allowed(
    service: RunningService, request_sent: bytes
) -> None:
    with connected(service) as connection:
        connection.sendall(request_sent)
        status = b"HTTP/1.1 %d" % answer(connection)[0]
    with connected(service) as connection:
        connection.sendall(request_sent * 33)
        received = everything(connection)
    assert (received.count(b"HTTP/1.1 "), received.count(status)) == (32, 32)


def test_a_load_above_the_queue_is_refused_at_once_and_health_is_not(tight: RunningService) -> None:
    with ExitStack() as stack:
        busy = [stack.enter_context(_accepted(tight)) for _ in range(20)]
        looking = stack.enter_context(_accepted(tight))
        with stopped(tight):
            for connection in busy:
                connection.sendall(SCORE)
            looking.sendall(HEALTH)
        answers = [answer(connection) for connection in busy]
        assert answer(looking)[0] == 200
        statuses = [status for status, _, _ in answers]
        assert statuses.count(200) >= 1
        assert statuses.count(503) >= 10
        refused = next(answer for answer in answers if answer[0] == 503)
        assert refused[1]["retry-after"] == "1"
        assert refused[1]["x-request-id"]
        assert json.loads(refused[2])["error"]["code"] == "overloaded"
        for connection in busy:  # a refused request leaves its connection usable
            connection.sendall(SCORE)
            assert answer(connection)[0] == 200
    counted = 'scoring_requests_total{operation="score",status="503"}'
    assert metric(tight, counted) >= statuses.count(503)


def test_a_request_whose_turn_comes_too_late_is_refused(
    bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> None:
    always_late = ["--deadline-seconds", "0"]
    with running_service(bundle.path, tmp_path_factory.mktemp("late"), arguments=always_late) as late:
        refused = late.client.post("/score", json={})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["code"] == "deadline_exceeded"


def test_requests_sent_ahead_are_answered_up_to_a_limit(service: RunningService) -> None:
    with connected(service) as connection:
        connection.sendall(SCORE * 33)  # one read: a rest would reset the connection, and discard answers
        received = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    assert received.count(b"HTTP/1.1 200 ") == 32


def test_a_client_that_asks_first_is_told_to_go_on(service: RunningService) -> None:
    with connected(service) as connection:
        connection.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert answer(connection)[0] == 200


def test_a_request_behind_another_kind_is_answered_in_its_turn(service: RunningService) -> None:
    with connected(service) as connection:
        connection.sendall(SCORE + HEALTH + SCORE)
        received = b""
        while received.count(b"HTTP/1.1 200 ") < 3 or not received.endswith(b"}"):
            received += connection.recv(65536)
    first, second, third = received.split(b"HTTP/1.1 200 ")[1:]
    assert (b"probability" in first, b"running" in second, b"probability" in third) == (True, True, True)


def test_a_refused_client_that_never_sends_its_body_gets_one_answer(tight: RunningService) -> None:
    with connected(tight) as connection:
        connection.sendall(SCORE[:-2].replace(KEY.encode(), b"wrong") + b"{")
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 401 ")
    assert received.count(b"HTTP/1.1 ") == 1


@contextmanager
def _accepted(service: RunningService) -> Iterator[socket.socket]:
    """A connection from which the service has read already, so that it need not accept it first.

    It has sent a key, and may be idle for longer than a busy machine takes to open the others.
    """
    with connected(service) as connection:
        connection.sendall(SCORE)
        assert answer(connection)[0] == 200
        yield connection
