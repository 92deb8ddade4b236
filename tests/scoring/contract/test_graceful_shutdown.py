"""A service that shuts down loses no request of clients with open connections."""

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from features.bundle import Bundle
from scoring.http.clients import SHUTDOWN_SECONDS
from tests.scoring.contract.conftest import as_json
from tests.support.services import (
    KEY,
    LONG_TIMEOUTS,
    RunningService,
    accepts,
    changed_service,
    client_ports,
    running_service,
    wait_until,
)

pytestmark = pytest.mark.slow

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


def score(connection: http.client.HTTPConnection, record: dict[str, Any]) -> tuple[int, str | None]:
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
    assert not has_asked or score(connection, record) == (200, None)
    shutting_down.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not accepts(shutting_down))
    assert score(connection, record) == (200, "close")
    assert shutting_down.process.wait(60) == 0


def test_an_idle_client_holds_the_service_for_a_moment_only(
    bundle: Bundle, tmp_path: Path, record: dict[str, Any]
) -> None:
    arguments = ["--workers", "2", *LONG_TIMEOUTS, "--drain-seconds", "3600"]
    with running_service(bundle.path, tmp_path, arguments=arguments) as running:
        connection = connect(running)
        assert score(connection, record) == (200, None)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began > SHUTDOWN_SECONDS - 1
        assert isinstance(connection.sock, socket.socket)
        assert connection.sock.recv(1) == b""
