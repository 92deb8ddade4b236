"""A worker's event loop: serves until it is told to stop, and sends heartbeats to the supervisor."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress

from scoring.http.clients import Clients
from scoring.http.door import Door
from scoring.http.front import Front
from scoring.settings import ServerSettings
from scoring.worker.keys import KeyRing
from scoring.worker.pauses import Pauses
from scoring.worker.service import Service

SWEEP_SECONDS = 0.1
"""Interval at which the deadlines of all connections are checked, by a single timer."""

BEAT_SECONDS = 0.25
"""Interval of the heartbeat."""

MOST_INSIDE = 64
"""The most clients with a key at the inside port, to which only a few of the operator's programs connect."""


async def serve(service: Service, listener: socket.socket, inside: socket.socket | None, pulse: int) -> None:
    """Serve on `listener` and, if given, on `inside`, where read-only routes need no key.

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
    doors = [Door(front, listener, Clients(settings.max_connections), tls=tls_context(settings), inside=False)]
    if inside is not None:
        doors.append(Door(front, inside, Clients(MOST_INSIDE), tls=None, inside=True))
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
    pauses, generation = Pauses(), keys.generation
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        stood_still = pauses.turn()
        if keys.generation != generation:
            generation = keys.generation
            for door in doors:
                door.clients.revoke(keys.holds)
        for door in doors:
            door.clients.sweep(time.perf_counter(), stood_still)


async def _leave(doors: Sequence[Door], settings: ServerSettings) -> None:
    """Stop accepting, finish the open requests within `drain_seconds`, and tell clients with their last response."""
    pauses = Pauses()
    end = pauses.now + settings.drain_seconds
    for door in doors:
        door.farewell()
        door.close()
    while any(len(door.clients) for door in doors):
        end += pauses.turn()
        if pauses.now > end:
            break
        await asyncio.sleep(SWEEP_SECONDS / 2)
    for door in doors:
        for client in door.clients:
            client.end()


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """The context for HTTPS, None without a certificate. Raises `OSError` if the files cannot be used."""
    if settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context
