"""Accepts connections: a few in a turn of the event loop, and none that there is no room for gets as far as TLS."""

import asyncio
import socket
import ssl
from functools import partial

from scoring.http.clients import Clients
from scoring.http.connection import Connection
from scoring.http.front import Front

ACCEPTED_TOGETHER = 8
"""Connections accepted in one turn: a flood of them gets no more of the loop than that."""

HANDSHAKE_SECONDS = 5.0
"""How long TLS may take to begin,"""

END_SECONDS = 1.0
"""and to end."""

PAUSE_SECONDS = 0.1
"""How long nobody is accepted when the system has no room for one more."""


class Door:
    """A listening socket of a worker."""

    def __init__(
        self, front: Front, listener: socket.socket, clients: Clients, *, tls: ssl.SSLContext | None, inside: bool
    ) -> None:
        """Made within the event loop; nobody is accepted before `open`."""
        self.clients = clients
        self._front = front
        self._listener = listener
        self._tls = tls
        self._inside = inside
        self._shutting_down = False
        self._loop = asyncio.get_running_loop()
        self._greeting: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to accept."""
        if self._listener.fileno() < 0:
            return  # closed during a pause
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept nobody any more."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def farewell(self) -> None:
        """Let each connection, also one that is new, end with its next answer."""
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
            else {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": END_SECONDS}
        )
        await self._loop.connect_accepted_socket(lambda: client, accepted, ssl=self._tls, **timeouts)

    def _greeted(self, accepted: socket.socket, client: Connection, task: asyncio.Task[None]) -> None:
        self._greeting.discard(task)
        client.handshake = None  # the task's error holds the client
        if task.cancelled() or task.exception() is not None:
            accepted.close()
            client.connection_lost(None)
