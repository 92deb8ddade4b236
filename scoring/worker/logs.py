"""Logs as one JSON object a line on standard error, which never hold up a request.

Lines are gathered and written a few times a second. When the reader is slow or the disk is full they are dropped and
counted: the service answers without its log rather than not at all.
"""

import logging
import os
import select
import stat
import sys
import time
import traceback

import msgspec

from features.errors import PersonalizationError

WAITING_LINES = 10_000
"""Lines kept while the reader is slow."""

CHUNK = select.PIPE_BUF
"""Bytes that a pipe which polls as writable takes without blocking. A file takes all at once, ten times as fast."""


class LogSink:
    """Where the lines of one process go."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._chunk = sys.maxsize if stat.S_ISREG(os.fstat(descriptor).st_mode) else CHUNK
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lines: list[bytes] = []
        self._rest = b""
        self.dropped = 0

    def event(self, event: str, *, level: str = "info", **fields: object) -> None:
        """Keep a line that says what happened and when, with these fields."""
        self.add(msgspec.json.encode({"timestamp": round(time.time(), 3), "level": level, "event": event, **fields}))

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
        start, whole = 0, memoryview(self._rest)
        try:
            while start < len(whole) and self._poll.poll(0):
                # Workers share the descriptor, so a write ends with a line where one can.
                end = self._rest.rfind(b"\n", start, start + self._chunk) + 1 or start + self._chunk
                start += os.write(self._descriptor, whole[start:end])
        except OSError:
            self.dropped += self._rest.count(b"\n", start)
            start = len(whole)
        self._rest = self._rest[start:]


class _Bridge(logging.Handler):
    """Writes the records of the standard library's logging as events."""

    def __init__(self, sink: LogSink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        fields = {} if error is None else describe(error)
        self._sink.event(record.getMessage(), level=record.levelname.lower(), logger=record.name, **fields)
        self._sink.flush()


def configure(sink: LogSink) -> None:
    """Send all logging of this process to `sink`."""
    logging.basicConfig(level=logging.INFO, handlers=[_Bridge(sink)], force=True)


def describe(error: BaseException) -> dict[str, object]:
    """The type of an error and the lines it came through, without its text, which could hold a feature's value."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return {"error": type(error).__name__, "places": places}


def reason(error: BaseException) -> dict[str, object]:
    """Why something failed: an error of the project's own says it in its text, any other is described."""
    return {"reason": str(error)} if isinstance(error, PersonalizationError) else describe(error)
