"""A closed connection leaves no reference cycle: collecting those would stop all clients."""

import asyncio
import errno
import gc
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
import uvloop

from scoring.http.admission import Room
from scoring.http.clients import Clients
from scoring.http.connection import Connection
from scoring.http.front import Front
from scoring.http.request import Request
from scoring.http.serving import Door

HEAD = b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
FRONT = cast(
    "Front",
    SimpleNamespace(
        settings=SimpleNamespace(client_seconds=1.0, max_body_bytes=1000, max_header_bytes=1000),
        room=Room(1000),
        request=lambda where, method, target, headers: Request(where, method, target, dict(headers), b"id"),
        admit=lambda _connection, _request: False,
    ),
)
"""The part of a front that a connection without a complete request uses."""


@pytest.fixture(autouse=True)
def no_collections() -> Iterator[None]:
    """Turn the cyclic garbage collector off: only reference counting frees objects."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("sent", [b"", HEAD[:10], HEAD, HEAD + b"{"])
def test_a_connection_that_ended_is_freed(sent: bytes) -> None:
    """Otherwise one collection of thousands of them would stop the event loop for tens of milliseconds."""
    clients = Clients(1)
    connection = Connection(FRONT, clients, "127.0.0.1", inside=False)
    assert clients.let_in(connection)
    connection.connection_made(asyncio.Transport())
    connection.data_received(sent)
    connection.connection_lost(None)
    assert _connections() == 1
    del connection
    assert _connections() == 0


def test_a_connection_whose_handshake_failed_is_freed() -> None:
    async def fail() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            door = Door(FRONT, listener, Clients(1), tls=context, inside=False)
            door.open()
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"this is no TLS\r\n\r\n")
            with suppress(ConnectionError):
                await reader.read()
            writer.close()
            door.close()

    uvloop.run(fail())
    assert _connections() == 0


def test_accepting_goes_on_after_the_system_had_no_descriptor_left() -> None:
    class Exhausted(socket.socket):
        """Fails once."""

        failures: ClassVar = [OSError(errno.EMFILE, "Too many open files")]

        def accept(self) -> tuple[socket.socket, Any]:
            if self.failures:
                raise self.failures.pop()
            return super().accept()

    async def connect() -> int:
        with Exhausted() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            clients = Clients(1)
            door = Door(FRONT, listener, clients, tls=None, inside=False)
            door.open()
            _, writer = await asyncio.wait_for(asyncio.open_connection(*listener.getsockname()), 60)
            async with asyncio.timeout(60):
                while not len(clients):  # noqa: ASYNC110 - an accepted connection is no event
                    await asyncio.sleep(0.01)
            found = len(clients)
            writer.close()
            door.close()
            return found

    assert uvloop.run(connect()) == 1


def _connections() -> int:
    return sum(type(one) is Connection for one in gc.get_objects())
