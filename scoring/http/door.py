"""Accepts connections, a few per turn of the event loop. One above the limit is closed before its TLS handshake."""

import asyncio
import socket
import ssl
from functools import partial

from scoring.http.clients import Clients
from scoring.http.connection import Connection
from scoring.http.front import Front

ACCEPTED_TOGETHER = 8
"""Connections accepted per turn of the event loop, so that a flood of them can't occupy the loop."""

HANDSHAKE_SECONDS = 5.0
"""Timeout of the TLS handshake."""

PAUSE_SECONDS = 0.1
"""How long accepting pauses after a system error, for example when no file descriptor is free."""


class Door:
    """A listening socket of a worker."""

    def __init__(
        self, front: Front, listener: socket.socket, clients: Clients, *, tls: ssl.SSLContext | None, inside: bool
    ) -> None:
        """Must be created inside the running event loop. `open` starts accepting."""
        self.clients = clients
        self._front = front
        self._client_seconds = front.settings.client_seconds
        self._listener = listener
        self._tls = tls
        self._inside = inside
        self._shutting_down = False
        self._loop = asyncio.get_running_loop()
        self._greeting: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Start accepting connections."""
        if self._listener.fileno() < 0:
            return  # closed during a pause
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Stop accepting connections."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def farewell(self) -> None:
        """Close each connection after its next response, also those accepted from now on."""
        self._shutting_down = True
        for client in self.clients:
            client.farewell()

    def _accept(self) -> None:
        for _ in range(ACCEPTED_TOGETHER):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE_SECONDS, self.open)
                return
            accepted.setblocking(False)  # noqa: FBT003 - the same
            client = Connection(self._front, self.clients, str(address[0]), inside=self._inside)
            if not self.clients.let_in(client):
                accepted.close()
                client.connection_lost(None)
                continue
            if self._shutting_down:
                client.farewell()
            task = client.handshake = self._loop.create_task(self._greet(accepted, client))
            self._greeting.add(task)
            task.add_done_callback(partial(self._greeted, accepted, client))

    async def _greet(self, accepted: socket.socket, client: Connection) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        timeouts = (
            {}
            if self._tls is None
            else {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": self._client_seconds}
        )
        await self._loop.connect_accepted_socket(lambda: client, accepted, ssl=self._tls, **timeouts)

    def _greeted(self, accepted: socket.socket, client: Connection, task: asyncio.Task[None]) -> None:
        self._greeting.discard(task)
        client.handshake = None  # the task's error refers to the client
        if task.cancelled() or task.exception() is not None:
            accepted.close()
            client.connection_lost(None)
