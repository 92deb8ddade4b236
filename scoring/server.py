"""Runs the service: one listening socket, and as many worker processes as asked for."""

import os
import re
import resource
import signal
import socket
import ssl
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import uvicorn

from features.bundle import Bundle
from scoring.errors import KeysError, ListenError, TlsError, TracesError
from scoring.http.front import Front
from scoring.http.graceful_shutdown import DrainingConnection
from scoring.http.traced import TracedConnection
from scoring.settings import ServerSettings
from scoring.worker.keys import KeyRing
from scoring.worker.logs import LogSink, configure
from scoring.worker.metrics import shared_folder
from scoring.worker.service import Service
from scoring.worker.supervisor import Supervisor

BACKLOG = 2048
EXPORTER = "azure.monitor"
CONNECTION = re.compile(r"InstrumentationKey=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(;|\s*$)")
KEEP_ALIVE_SECONDS = 75


def serve(settings: ServerSettings) -> int:
    """Serve until a signal ends it and return the exit code.

    Raises a `PersonalizationError` before anything listens when the bundle, the keys, the certificate or the address
    cannot be used.
    """
    Bundle.load(settings.bundle)
    keys = _keys_file(settings)
    KeyRing(keys)
    _check_certificate(settings)
    if settings.traces is not None:
        _check_traces(settings.traces)
    sink = LogSink()
    configure(sink)
    _allow_open_files()
    with listening_socket(settings) as listener, shared_folder():
        host, port = listener.getsockname()[:2]
        sink.event("listening", host=host, port=port, workers=settings.workers)
        sink.flush()
        signal.signal(signal.SIGTERM, _leave)  # what uvicorn raises again after the last answer
        config = _config(settings)
        if settings.workers == 1:
            server = uvicorn.Server(config)
            server.run(sockets=[listener])
            code = 0 if server.started else 1
        else:
            supervisor = Supervisor(config, [listener])
            supervisor.run()
            code = supervisor.exit_code
        sink.flush()
    return code


def create_front(settings: ServerSettings) -> Front:
    """The ASGI application of one worker process, made after the process has started."""
    sink = LogSink()
    configure(sink)
    service = Service(settings, KeyRing(_keys_file(settings)), sink)
    if settings.traces is None:
        return Front(service)
    from scoring.worker.tracing import Tracing  # noqa: PLC0415 - not in every image, and nothing to pay for when it is off

    return Front(service, Tracing(settings.traces, settings.trace_percent, version=settings.model_version))


def listening_socket(settings: ServerSettings) -> socket.socket:
    """The socket to accept connections on; raises `ListenError` when it cannot be had."""
    if settings.fd is not None:
        return _inherited_socket(settings.fd)
    try:
        return socket.create_server((settings.host, settings.port), backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise ListenError(
            f"Cannot listen on {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}. "
            "Stop the program that uses it, or choose another port with --port (in a stack: `scoring: {port: ...}`)."
        ) from error


def _allow_open_files() -> None:
    """Let this process and its workers have as many connections as the system permits."""
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))


def _inherited_socket(descriptor: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=os.dup(descriptor))
        listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ListenError(f"--fd {descriptor} is not an open socket: {error.strerror}.") from error
    if not listening:
        raise ListenError(f"--fd {descriptor} is a socket that does not listen.")
    if descriptor == sys.stdin.fileno():
        # Worker processes open standard input again, which must not be the socket.
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), descriptor)
    return listener


def _config(settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        partial(create_front, settings),
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=DrainingConnection if settings.traces is None else TracedConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def _check_certificate(settings: ServerSettings) -> None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(
            f"The certificate {settings.tls_certificate} with the key {settings.tls_key} cannot be used: {error}. "
            "Both must be PEM files that belong together."
        ) from error


def _check_traces(connection: Path) -> None:
    """Raise `TracesError` unless requests can be traced; what is in the file is secret and not repeated."""
    if find_spec(EXPORTER.partition(".")[0]) is None or find_spec(EXPORTER) is None:
        raise TracesError(
            "This image cannot trace: it was built without OpenTelemetry. Set `azure.traces` and run `up`, or "
            "leave --traces out."
        )
    try:
        text = connection.read_text(encoding="utf-8")
    except OSError as error:
        raise TracesError(f"The connection string in {connection} cannot be read: {error.strerror}.") from error
    if not CONNECTION.search(text):
        raise TracesError(
            f"{connection} does not hold a connection string of Application Insights: "
            "`InstrumentationKey=...;IngestionEndpoint=https://...`."
        )


def _keys_file(settings: ServerSettings) -> Path:
    if settings.keys_file is None:
        raise KeysError("The service needs a file with its keys. Name it with --keys-file.")
    return settings.keys_file


def _leave(_signal: int, _frame: object) -> NoReturn:
    sys.exit(0)
