"""Requests as bytes over a socket, for what HTTP clients wouldn't send."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.services import KEY, RunningService

HEAD = f"POST /score HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n".encode()
"""The head of a request for a score, without its last lines."""

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def score(record: Mapping[str, Any] | None = None, *, more: bytes = b"") -> bytes:
    """A whole request for a score, with `more` lines in its head."""
    body = json.dumps(record or {}).encode()
    return HEAD + more + b"content-length: %d\r\n\r\n" % len(body) + body


@contextmanager
def connected(service: RunningService) -> Iterator[socket.socket]:
    url = httpx.URL(service.url)
    assert url.port is not None
    with socket.create_connection((url.host, url.port), timeout=60) as connection:
        yield connection


def trickle(connection: socket.socket, begin: bytes, then: bytes) -> None:
    """Send `begin` at once and then `then` again and again, slowly; ends with the error of a closed connection."""
    connection.sendall(begin)
    while True:
        connection.sendall(then)
        time.sleep(0.05)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next answer: status, headers and body. Nothing may follow it."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    while len(body) < int(headers["content-length"]):
        body += _more(connection)
    assert len(body) == int(headers["content-length"])
    return int(lines[0].split()[1]), headers, body


def everything(connection: socket.socket) -> bytes:
    """Everything received until the service closes the connection."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def only_answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and JSON of the only answer before the service closes the connection."""
    received = everything(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    assert part, "the service closed within an answer"
    return part
