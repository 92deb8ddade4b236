"""Progress reports of a run on standard error: lines of text for people, lines of JSON for programs to read."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TextIO

import msgspec

POLL_SECONDS = 0.5
ERROR = "error: "
"""Prefix of the line with the reason of a failure."""


BRIEF_SECONDS = 10.0
"""Time between two brief lines about how far a stage is."""


class Format(StrEnum):
    """The format of progress and of results. Brief progress seldom says how far a stage is."""

    TEXT = "text"
    BRIEF = "brief"
    JSON = "json"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A progress report: `message` can be shown as it is; `done` and `total` count tasks, rows or iterations."""

    stage: str
    message: str
    done: int | None = None
    total: int | None = None
    seconds_left: float | None = None


class Progress:
    """Writes reports to a stream and measures the stages' durations."""

    def __init__(self, stream: TextIO, *, style: Format = Format.TEXT, only: str | None = None) -> None:
        """Write to `stream` in `style`, of all stages or of one `only`."""
        self._stream = stream
        self._only = only
        self._style = style
        self._lock = threading.Lock()
        self._last, self._written = "", time.monotonic()
        self.seconds: dict[str, float] = {}

    def __call__(
        self,
        stage: str,
        detail: str,
        *,
        done: int | None = None,
        total: int | None = None,
        seconds_left: float | None = None,
    ) -> None:
        """Report `detail` of `stage`, unless the last report was the same."""
        if self._only not in {None, stage}:
            return
        left = "" if seconds_left is None else f", about {max(1, round(seconds_left))} s left"
        message = f"{stage}: {detail}{left}"
        report = Report(stage=stage, message=message, done=done, total=total, seconds_left=seconds_left)
        with self._lock:
            now = time.monotonic()
            is_soon = done is not None and now < self._written + BRIEF_SECONDS
            if message == self._last or (is_soon and self._style is Format.BRIEF):
                return
            self._last, self._written = message, now
            line = msgspec.json.encode(report).decode() if self._style is Format.JSON else message
            self._stream.write(line + "\n")
            self._stream.flush()

    @contextmanager
    def stage(self, name: str, detail: str) -> Iterator[None]:
        """Report the start of stage `name`, and add its duration to `seconds`."""
        self(name, detail)
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - start, 3)


@contextmanager
def background(action: Callable[[], None], *, seconds: float = POLL_SECONDS) -> Iterator[None]:
    """Call `action` every `seconds` seconds in another thread until the block ends."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def progress_shown(report: Callable[[str], None]) -> Callable[[str], bool]:
    """A function that passes progress lines of standard error to `report`, and returns whether a line was progress."""

    def show(line: str) -> bool:
        try:
            message = json.loads(line)["message"]
        except (ValueError, KeyError, TypeError):
            return False
        report(message)
        return True

    return show


def reason_in(errors: str) -> str | None:
    """Training's error message at the end of its standard error; None if there is none."""
    _, marker, sentence = errors.rpartition(ERROR)
    return sentence.strip() if marker else None
