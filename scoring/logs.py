"""Logs as one JSON object a line on standard error, which never hold up a request.

Lines are gathered and written a few times a second. When the reader is slow or the disk is full they are dropped and
counted: the service answers without its log rather than not at all.
"""

import logging
import os
import select

import msgspec
import structlog

WAITING_LINES = 10_000
"""Lines kept while the reader is slow."""

CHUNK = select.PIPE_BUF
"""Bytes that a pipe which polls as writable takes without blocking."""


class LogSink:
    """Where the lines of one process go."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lines: list[bytes] = []
        self._rest = b""
        self.dropped = 0

    def add(self, line: bytes) -> None:
        """Keep a line, without its line end, until the next `flush`."""
        if len(self._lines) < WAITING_LINES:
            self._lines.append(line)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Write what can be written without waiting."""
        if self._lines and not self._rest:
            self._rest = b"\n".join(self._lines) + b"\n"
            self._lines.clear()
        try:
            while self._rest and self._poll.poll(0):
                written = os.write(self._descriptor, self._rest[:CHUNK])
                self._rest = self._rest[written:]
        except OSError:
            self.dropped += self._rest.count(b"\n")
            self._rest = b""

    def info(self, line: bytes) -> None:
        """Take a line from structlog, which names the method of a log level."""
        self.add(line)

    warning = error = critical = debug = info


class _Bridge(logging.Handler):
    """Hands the records of the standard library's logging, which uvicorn uses, to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        event = structlog.get_logger()
        event.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def configure(sink: LogSink) -> None:
    """Send all logging of this process to `sink`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: msgspec.json.encode(event)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: sink,
    )
    logging.basicConfig(level=logging.INFO, handlers=[_Bridge()], force=True)
    logging.getLogger("uvicorn.access").disabled = True  # the service writes its own lines, with the request's id
