"""Accepts connections, a few per turn of the event loop, and serves until the worker is told to stop.

A connection above the limit is closed before its TLS handshake. The event loop sends heartbeats to the supervisor.
"""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from features.errors import PersonalizationError
from scoring.http.clients import Clients
from scoring.http.connection import Connection
from scoring.http.front import Front
from scoring.settings import ServerSettings
from scoring.worker.keys import KeyRing
from scoring.worker.service import Service
from scoring.worker.supervisor import RunningTime

ACCEPTED_TOGETHER = 8
"""Connections accepted per turn of the event loop, so that a flood of them can't occupy the loop."""

HANDSHAKE_SECONDS = 5.0
"""Timeout of the TLS handshake."""

PAUSE_SECONDS = 0.1
"""How long accepting pauses after a system error, for example when no file descriptor is free."""

SWEEP_SECONDS = 0.1
"""Interval at which the deadlines of all connections are checked, by a single timer."""

BEAT_SECONDS = 0.25
"""Interval of the heartbeat."""

MOST_INSIDE = 64
"""The most clients with a key at the inside port, to which only a few of the operator's programs connect."""


class TlsError(PersonalizationError):
    """The certificate or its key cannot be used."""


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


async def serve(service: Service, listeners: Sequence[socket.socket], pulse: int) -> None:
    """Serve on the first of the `listeners`, and on further ones inside, where read-only routes need no key.

    Returns after SIGTERM, SIGINT or the supervisor's end. Each heartbeat writes a byte to the pipe `pulse`. Raises
    `PersonalizationError` if the model cannot be served.
    """
    settings = service.settings
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    front = Front(service)
    await service.start()
    outside, *others = listeners
    doors = [
        Door(front, outside, Clients(settings.max_connections), tls=tls_context(settings), inside=False),
        *(Door(front, inside, Clients(MOST_INSIDE), tls=None, inside=True) for inside in others),
    ]
    for door in doors:
        door.open()
    tasks = [
        asyncio.create_task(_beat(pulse, stop)),
        asyncio.create_task(_sweep(doors, service.keys)),
        asyncio.create_task(service.tend()),
    ]
    await stop.wait()
    await _leave(doors, settings)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    front.batcher.close()
    service.stop()


async def _beat(pulse: int, stop: asyncio.Event) -> None:
    """Send heartbeats to the supervisor. If it has ended, writing to its pipe fails, and this worker stops too."""
    os.set_blocking(pulse, False)
    while True:
        try:
            os.write(pulse, b"+")
        except BlockingIOError:
            pass  # the pipe is full: the supervisor is not reading
        except BrokenPipeError:
            stop.set()
        await asyncio.sleep(BEAT_SECONDS)


async def _sweep(doors: Sequence[Door], keys: KeyRing) -> None:
    """Keep the deadlines of all connections, and close those of removed keys."""
    running, generation = RunningTime(), keys.generation
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        running.turn()
        if keys.generation != generation:
            generation = keys.generation
            for door in doors:
                door.clients.revoke(keys.holds)
        for door in doors:
            door.clients.sweep(time.perf_counter(), running.stood_still)


async def _leave(doors: Sequence[Door], settings: ServerSettings) -> None:
    """Stop accepting, finish the open requests within `drain_seconds`, and tell clients with their last response."""
    running = RunningTime()
    for door in doors:
        door.farewell()
        door.close()
    while any(len(door.clients) for door in doors) and running.turn() <= settings.drain_seconds:  # noqa: ASYNC110 - an end of connections is no event
        await asyncio.sleep(SWEEP_SECONDS / 2)
    for door in doors:
        for client in door.clients:
            client.end()


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """The context for HTTPS, None without a certificate. Raises `TlsError` if the files cannot be used."""
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:  # includes `ssl.SSLError`
        raise TlsError(
            f"The certificate {settings.tls_cert} with the key {settings.tls_key} cannot be used: {error}. "
            "Both must be PEM files that belong together."
        ) from error
    return context
