"""Mirrors answered requests to a shadow: pods that try another image, whose responses are discarded.

A request is not mirrored if no connection is free, so a slow or missing shadow never delays clients.
"""

import asyncio
import ssl
import time
from pathlib import Path
from typing import cast

import httptools

from scoring.worker.keys import KeyRing

CONNECTIONS = 4
"""Connections of a worker, and therefore the most mirrored requests at a time."""
TIMEOUT_SECONDS = 5.0
"""Timeout for connecting, and for a response; after it, the connection is closed and another one is tried."""
RETRY_SECONDS = 1.0
"""The pause after a failed attempt to connect: most of the time there is no shadow."""
ALL = 100


class Shadow:
    """A worker's connections to the shadow at `host:port`. Create and use it in the event loop's thread."""

    def __init__(self, address: str, percent: int, keys: KeyRing, certificate: Path | None) -> None:
        """Mirror `percent` of the requests. With a PEM `certificate`, use TLS and trust only this certificate."""
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
        """Mirror a request with this JSON `body` if it is in the share to mirror and a connection is free."""
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
        """Reuse a connection whose response has arrived."""
        self._free.append(connection)

    def lost(self, connection: "_Connection") -> None:
        """Forget a closed connection."""
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
        except (OSError, TimeoutError):  # includes TLS errors
            self._next_attempt = time.monotonic() + RETRY_SECONDS
        finally:
            self._opening = None


class _Connection(asyncio.Protocol):
    """A connection, which carries one mirrored request at a time."""

    def __init__(self, shadow: Shadow) -> None:
        self._shadow = shadow
        self._parser = httptools.HttpResponseParser(self)
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports don't inherit from asyncio's
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
        """The parser calls this at the end of a response, whose content is ignored."""
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
    """A TLS context that trusts this certificate alone, whatever the host's name."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.load_verify_locations(certificate)
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return trust
