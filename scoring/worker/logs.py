"""Logs one JSON object per line to standard error, without ever delaying a request.

Lines are buffered and written a few times a second. If the reader is slow or the disk is full, they are dropped and
counted: the service keeps answering, even without a log.
"""

import logging
import os
import select
import stat
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import msgspec

from features.errors import PersonalizationError

WAITING_LINES = 10_000
"""The most lines buffered while the reader is slow."""

CHUNK = select.PIPE_BUF
"""Bytes that a writable pipe accepts without blocking. A file gets everything in one write, ten times as fast."""

MOST_BYTES = 10 << 20
"""The size in bytes at which a log file is rotated."""

KEPT_FILES = 2
"""Rotated log files that are kept beside the current one."""


class LogSink:
    """Buffers and writes the log lines of one process."""

    def __init__(self, descriptor: int = 2, file: Path | None = None) -> None:
        """With `file`, redirect the descriptor to it, for this process and those that it starts."""
        self._descriptor = descriptor
        self._file = file
        self._follow()
        self._chunk = sys.maxsize if stat.S_ISREG(os.fstat(descriptor).st_mode) else CHUNK
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lines: list[bytes] = []
        self._rest = b""
        self.dropped = 0

    def event(self, event: str, *, level: str = "info", **fields: object) -> None:
        """Buffer a line with the event, its level, a timestamp and these fields."""
        self.add(msgspec.json.encode({"timestamp": round(time.time(), 3), "level": level, "event": event, **fields}))

    def add(self, line: bytes) -> None:
        """Buffer a line, given without its line break, until the next `flush`."""
        if len(self._lines) < WAITING_LINES:
            self._lines.append(line)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Write as much as possible without blocking."""
        self._follow()
        if self._lines and not self._rest:
            self._rest = b"\n".join(self._lines) + b"\n"
            self._lines.clear()
        start, whole = 0, memoryview(self._rest)
        try:
            while start < len(whole) and self._poll.poll(0):
                # Workers share the descriptor, so each write ends at a line break if it contains one.
                end = self._rest.rfind(b"\n", start, start + self._chunk) + 1 or start + self._chunk
                start += os.write(self._descriptor, whole[start:end])
        except OSError:
            self.dropped += self._rest.count(b"\n", start)
            start = len(whole)
        self._rest = self._rest[start:]

    def rotate(self) -> None:
        """Rotate the log file if it is too large. One process calls this; the others notice when they next write."""
        if self._file is None or os.fstat(self._descriptor).st_size < MOST_BYTES:
            return
        names = [self._file, *(self._file.with_name(f"{self._file.name}.{age}") for age in range(1, KEPT_FILES + 1))]
        with suppress(OSError):  # the file keeps growing, and the next attempt may succeed
            for age in range(KEPT_FILES, 0, -1):
                if names[age - 1].exists():
                    names[age - 1].replace(names[age])

    def _follow(self) -> None:
        """Point the descriptor at the current log file if another process has rotated it."""
        if self._file is None:
            return
        with suppress(FileNotFoundError):
            if os.path.samestat(self._file.stat(), os.fstat(self._descriptor)):
                return
        with suppress(OSError):  # lines still go to the old file
            opened = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(opened, self._descriptor)
            os.close(opened)


class _Bridge(logging.Handler):
    """Writes records of the standard library's `logging` as events."""

    def __init__(self, sink: LogSink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        fields = {} if error is None else describe(error)
        self._sink.event(record.getMessage(), level=record.levelname.lower(), logger=record.name, **fields)
        self._sink.flush()


def configure(sink: LogSink) -> None:
    """Send all of this process's `logging` records to `sink`."""
    logging.basicConfig(level=logging.INFO, handlers=[_Bridge(sink)], force=True)


def describe(error: BaseException) -> dict[str, object]:
    """An error's type and traceback lines, without its message, which could contain a feature's value."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return {"error": type(error).__name__, "places": places}


def reason(error: BaseException) -> dict[str, object]:
    """Why something failed: the message of one of the project's own errors; for any other error, see `describe`."""
    return {"reason": str(error)} if isinstance(error, PersonalizationError) else describe(error)
