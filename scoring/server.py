"""Runs the service: opens the listening sockets, and starts the supervisor of the worker processes."""

import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import uvloop

from features.bundle import Bundle
from scoring.errors import KeysError, ListenError, TlsError
from scoring.http.serving import serve as serve_worker
from scoring.http.serving import tls_context
from scoring.settings import ServerSettings
from scoring.worker.keys import KeyRing
from scoring.worker.logs import LogSink, configure, reason
from scoring.worker.metrics import shared_folder
from scoring.worker.service import Service
from scoring.worker.supervisor import COULD_NOT_START, Supervisor

BACKLOG = 2048
SWITCH_SECONDS = 0.0005
"""How long another thread of a worker, such as one that opens a snapshot, may compute while the event loop waits. With
Python's 5 milliseconds, the slowest answers take more than twice as long."""


def serve(settings: ServerSettings) -> int:
    """Serve until a signal arrives, and return the exit code.

    Raises `PersonalizationError`, before any worker starts, if the bundle, the keys, the certificate or the address
    cannot be used.
    """
    Bundle.load(settings.bundle)
    keys = _keys_file(settings)
    KeyRing(keys)
    _check_certificate(settings)
    sink = LogSink(file=settings.log_file)
    configure(sink)
    allow_open_files()
    with listening_socket(settings) as listener, inside_socket(settings) as inside, shared_folder():
        host, port = listener.getsockname()[:2]
        places = {} if inside is None else {"inside_port": inside.getsockname()[1]}
        sink.event("listening", host=host, port=port, workers=settings.workers, **places)
        sink.flush()
        supervisor = Supervisor(
            partial(work, settings, listener, inside),
            [listener] if inside is None else [listener, inside],
            workers=settings.workers,
            drain_seconds=settings.drain_seconds,
            sink=sink,
        )
        code = supervisor.run()
        sink.flush()
    return code


def work(settings: ServerSettings, listener: socket.socket, inside: socket.socket | None, pulse: int) -> int:
    """Run a worker in its own process and return its exit code. It writes heartbeats to the pipe `pulse`."""
    sink = LogSink(file=settings.log_file)
    configure(sink)
    sys.setswitchinterval(SWITCH_SECONDS)
    sink.event("worker started", process=os.getpid())
    try:
        service = Service(settings, KeyRing(_keys_file(settings)), sink)
        uvloop.run(serve_worker(service, listener, inside, pulse))
    except Exception as error:  # noqa: BLE001 - why a worker ends belongs into the log, whatever it is
        sink.event("worker failed", level="error", **reason(error))
        return COULD_NOT_START
    finally:
        sink.flush()
    return 0


@contextmanager
def inside_socket(settings: ServerSettings) -> Iterator[socket.socket | None]:
    """The socket of the inside port, None without one. Raises `ListenError` if it cannot be opened."""
    if settings.inside_port is None:
        yield None
        return
    with _bind(settings.inside_host, settings.inside_port) as listener:
        yield listener


def listening_socket(settings: ServerSettings) -> socket.socket:
    """The socket that accepts connections. Raises `ListenError` if it cannot be opened."""
    return _bind(settings.host, settings.port)


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise ListenError(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}. "
            "Stop the program that uses it, or choose another port with --port (in a stack: `scoring: {port: ...}`)."
        ) from error


def allow_open_files() -> None:
    """Raise the limit on open files of this process and its workers to the maximum."""
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS rejects the maximum that it reports
        resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))


def _check_certificate(settings: ServerSettings) -> None:
    try:
        tls_context(settings)
    except OSError as error:  # includes `ssl.SSLError`
        raise TlsError(
            f"The certificate {settings.tls_certificate} with the key {settings.tls_key} cannot be used: {error}. "
            "Both must be PEM files that belong together."
        ) from error


def _keys_file(settings: ServerSettings) -> Path:
    if settings.keys_file is None:
        raise KeysError("The service needs a file with its keys. Name it with --keys-file.")
    return settings.keys_file
