"""Runs the service: opens the listening sockets, and starts the supervisor of the worker processes."""

import os
import resource
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial

import uvloop
from prometheus_client.multiprocess import mark_process_dead

from features.bundle import Bundle
from features.errors import PersonalizationError
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


class ListenError(PersonalizationError):
    """The service cannot listen on its address."""


def serve(settings: ServerSettings) -> int:
    """Serve until a signal arrives, and return the exit code.

    Raises `PersonalizationError`, before any worker starts, if the bundle, the keys, the certificate or an address
    cannot be used.
    """
    Bundle.load(settings.bundle)
    KeyRing(settings.keys_file)
    tls_context(settings)
    sink = LogSink(file=settings.log_file)
    configure(sink)
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS rejects the maximum that it reports
        resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
    with ExitStack() as stack:
        listeners = [stack.enter_context(_listening(settings.host, settings.port))]
        host, port = listeners[0].getsockname()[:2]
        ports = {"port": port}
        if settings.inside_port is not None:
            listeners.append(stack.enter_context(_listening(settings.inside_host, settings.inside_port)))
            ports["inside_port"] = listeners[1].getsockname()[1]
        stack.enter_context(shared_folder())
        sink.event("listening", host=host, workers=settings.workers, **ports)
        sink.flush()
        supervisor = Supervisor(
            partial(work, settings, listeners),
            mark_process_dead,
            listeners,
            workers=settings.workers,
            drain_seconds=settings.drain_seconds,
            sink=sink,
        )
        code = supervisor.run()
        sink.flush()
    return code


def work(settings: ServerSettings, listeners: Sequence[socket.socket], place: int, pulse: int) -> int:
    """Run the worker at a place in its own process; returns its exit code. It writes heartbeats to the pipe `pulse`."""
    sink = LogSink(file=settings.log_file)
    configure(sink)
    sys.setswitchinterval(SWITCH_SECONDS)
    sink.event("worker started", process=os.getpid())
    try:
        service = Service(settings, KeyRing(settings.keys_file), sink, place)
        uvloop.run(serve_worker(service, listeners, pulse))
    except Exception as error:  # noqa: BLE001 - why a worker ends belongs into the log, whatever it is
        sink.event("worker failed", level="error", **reason(error))
        return COULD_NOT_START
    finally:
        sink.flush()
    return 0


def _listening(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. Raises `ListenError` if it cannot be opened."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise ListenError(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}. "
            "Stop the program that uses it, or choose another port with --port (in a stack: `scoring: {port: ...}`)."
        ) from error
