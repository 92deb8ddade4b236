"""Clients that read slowly, or that close their side after the request: each gets its whole answer."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from features.bundle import Bundle
from tests.support.certificates import make_certificate
from tests.support.raw_http import HEAD, HEALTH, connected, everything, score
from tests.support.services import (
    LONG_TIMEOUTS,
    RunningService,
    accepts,
    changed_service,
    client_ports,
    running_service,
    stopped,
    wait_until,
)

pytestmark = pytest.mark.slow

RECORDS = 40_000
"""The answer to so many is larger than the system's buffers, which are small here."""
MANY = score({"records": [{}] * RECORDS}, more=b"connection: close\r\n")
ARGUMENTS = [*LONG_TIMEOUTS, "--max-records", str(RECORDS), "--client-seconds", "60", "--drain-seconds", "60"]
CHANGED = """
import socket
create = socket.create_server
def create_server(*given, **more):
    created = create(*given, **more)
    created.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
    return created
socket.create_server = create_server
from scoring.http.clients import Clients
sweep = Clients.sweep
Clients.sweep = lambda self, *given: (sweep(self, *given), open({file!r}, "a").write("."))
"""
"""A service with small buffers, which writes a character to a file each time it looks for connections to close."""
SWEEPS = 60
"""More of them than an idle connection has until it is closed for good while the service ends."""


@pytest.fixture(params=["http", "https"])
def patient(
    request: pytest.FixtureRequest, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service that gives slow clients time, and counts how often it looked for connections to close."""
    folder = tmp_path_factory.mktemp("patient")
    (folder / "sweeps").touch()
    certificate, key = make_certificate(folder)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key)] if request.param == "https" else []
    with running_service(
        bundle.path,
        folder,
        arguments=[*ARGUMENTS, *tls],
        scheme=request.param,
        python=changed_service(CHANGED.format(file=str(folder / "sweeps"))),
    ) as running:
        running.extra["sweeps"] = folder / "sweeps"
        yield running


def test_a_slow_reader_gets_its_whole_last_answer(patient: RunningService) -> None:
    with _slow(patient) as connection:
        connection.sendall(MANY)
        connection.recv(100)
        _wait_for_sweeps(patient)
        assert len(json.loads(everything(connection).partition(b"\r\n\r\n")[2])["probabilities"]) == RECORDS


@pytest.mark.parametrize(
    ("patient", "records"),
    [("http", RECORDS), ("http", 7_000), ("https", RECORDS)],
    ids=["large", "what is left is less than pauses writing", "over TLS"],
    indirect=["patient"],
)
def test_so_does_one_that_reads_while_the_service_ends(patient: RunningService, records: int) -> None:
    with _slow(patient) as connection:
        connection.sendall(score({"records": [{}] * records}))
        received = connection.recv(100)
        patient.process.terminate()
        wait_until(lambda: not accepts(patient))
        _wait_for_sweeps(patient)
        received += everything(connection)
    assert len(json.loads(received.partition(b"\r\n\r\n")[2])["probabilities"]) == records
    assert patient.process.wait(30) == 0, "the idle client that was asked whether the service is ready holds it up"


REQUESTS = {
    "a score": (score(), "probability"),
    "an explanation": (score().replace(b"/score", b"/explain"), "contributions"),
    "a look": (HEALTH, "status"),
}


@pytest.mark.parametrize(("sent", "named"), REQUESTS.values(), ids=REQUESTS)
def test_a_client_that_sends_no_more_is_answered(service: RunningService, sent: bytes, named: str) -> None:
    with connected(service) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert named in json.loads(received.partition(b"\r\n\r\n")[2])


def test_all_whole_requests_before_the_end_are_answered(bundle: Bundle, tmp_path: Path) -> None:
    with running_service(bundle.path, tmp_path, arguments=LONG_TIMEOUTS) as running:
        with connected(running) as connection, stopped(running):
            connection.sendall(score() + HEALTH + score().replace(b"/score", b"/explain") + HEAD + b"content-length: 9")
            connection.shutdown(socket.SHUT_WR)
        with connected(running) as connection:
            wait_until(lambda: connection.getsockname()[1] in client_ports(running))
            with stopped(running):
                connection.sendall(score() + HEALTH + HEAD + b"content-length: 9\r\n\r\n{")
                connection.shutdown(socket.SHUT_WR)
            assert everything(connection).count(b"HTTP/1.1 200 ") == 2
        assert running.client.post("/score", json={}).status_code == 200
        assert not [line for line in running.log() if line["level"] != "info"]


@contextmanager
def _slow(running: RunningService) -> Iterator[socket.socket]:
    """A connection that can take few bytes before they are read."""
    with connected(running) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        if not running.url.startswith("https"):
            yield connection
            return
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        with trust.wrap_socket(connection) as wrapped:
            yield wrapped


def _wait_for_sweeps(running: RunningService) -> None:
    """Wait until the service has looked often for connections to close."""
    sweeps: Path = running.extra["sweeps"]
    before = sweeps.stat().st_size
    wait_until(lambda: sweeps.stat().st_size > before + SWEEPS)
