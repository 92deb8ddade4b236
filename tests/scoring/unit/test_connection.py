"""What a connection leaves behind."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from scoring.http.admission import Room
from scoring.http.clients import Clients
from scoring.http.connection import Connection
from scoring.http.front import Front
from scoring.http.request import Request

HEAD = b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"


@pytest.fixture
def no_collections() -> Iterator[None]:
    """Nothing is freed but what nothing refers to."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("sent", [b"", HEAD[:10], HEAD, HEAD + b"{"], ids=["nothing", "half a head", "a head", "a body"])
def test_a_connection_that_ended_waits_for_no_collection(sent: bytes) -> None:
    """Ten thousand of them, found by one, stopped the loop for tens of milliseconds."""
    front = SimpleNamespace(
        settings=SimpleNamespace(client_seconds=1.0, max_body_bytes=1000, max_header_bytes=1000),
        room=Room(1000),
        request=lambda where, method, target, headers: Request(where, method, target, dict(headers), b"id"),
        admit=lambda _connection, _request: False,
    )
    clients = Clients(1)
    connection = Connection(cast("Front", front), clients, "127.0.0.1", inside=False)
    left = weakref.ref(connection)
    assert clients.let_in(connection)
    connection.connection_made(asyncio.Transport())
    connection.data_received(sent)
    connection.connection_lost(None)
    del connection
    assert left() is None
