"""Copies of answered requests for pods that try another image: nobody waits for them, and no answer of theirs is used.

A copy that finds no free connection is dropped: a shadow that is slow, or not there, takes nothing from clients.
"""

import asyncio
import ssl
import time
from pathlib import Path
from typing import cast

import httptools

from scoring.worker.keys import KeyRing

CONNECTIONS = 4
"""Of a worker, and so the copies that are under way at most."""
TIMEOUT_SECONDS = 5.0
"""How long a shadow may take to connect, and to answer: then its connection ends, and another one is tried."""
RETRY_SECONDS = 1.0
"""Between two attempts to connect: most of the time there is no shadow."""
ALL = 100


class Shadow:
    """The connections of a worker to the shadow at `host:port`; made within an event loop's thread."""

    def __init__(self, address: str, percent: int, keys: KeyRing, certificate: Path | None) -> None:
        """`percent` of the requests are copied. With a PEM `certificate`, over TLS to whoever has that very one."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._percent = percent
        self._keys = keys
        self._trust = None if certificate is None else _only(certificate)
        self._due = 0
        self._free: list[_Connection] = []
        self._connections = 0
        self._next_attempt = 0.0
        self._opening: asyncio.Task[None] | None = None

    def copy(self, operation: str, body: bytes | bytearray) -> None:
        """Send a copy of a request with this JSON `body`, if it is one of the share and a connection is free."""
        self._due += self._percent
        if self._due < ALL:
            return
        self._due -= ALL
        if self._free:
            self._free.pop().send(self._head(operation, len(body)) + body)
        elif self._connections < CONNECTIONS and self._opening is None and time.monotonic() >= self._next_attempt:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    def opened(self, connection: "_Connection") -> None:
        """Use a new connection."""
        self._connections += 1
        self._free.append(connection)

    def freed(self, connection: "_Connection") -> None:
        """Use a connection that has its answer again."""
        self._free.append(connection)

    def lost(self, connection: "_Connection") -> None:
        """Forget a connection that ended."""
        self._connections -= 1
        if connection in self._free:
            self._free.remove(connection)

    def _head(self, operation: str, length: int) -> bytes:
        return (
            b"POST /%b HTTP/1.1\r\nhost: shadow\r\nauthorization: Bearer %b\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % (operation.encode(), self._keys.current, length)
        )

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            opening = loop.create_connection(lambda: _Connection(self), self._host, self._port, ssl=self._trust)
            await asyncio.wait_for(opening, TIMEOUT_SECONDS)
        except (OSError, TimeoutError):  # of TLS too
            self._next_attempt = time.monotonic() + RETRY_SECONDS
        finally:
            self._opening = None


class _Connection(asyncio.Protocol):
    """One connection, one copy at a time."""

    def __init__(self, shadow: Shadow) -> None:
        self._shadow = shadow
        self._parser = httptools.HttpResponseParser(self)
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none of asyncio's classes
        self._shadow.opened(self)

    def send(self, request: bytes) -> None:
        self._transport.write(request)
        self._end = asyncio.get_running_loop().call_later(TIMEOUT_SECONDS, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer, which nobody looks at."""
        self._stop_waiting()
        if self._parser.should_keep_alive():
            self._shadow.freed(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._stop_waiting()
        self._shadow.lost(self)

    def _stop_waiting(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


def _only(certificate: Path) -> ssl.SSLContext:
    """Trusts this certificate and no other, whatever host has it."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.load_verify_locations(certificate)
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return trust
