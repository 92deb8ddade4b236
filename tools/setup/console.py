"""How the set-up prints messages, runs long commands and reports errors.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from features.errors import PersonalizationError

SECONDS_BETWEEN_LINES = 10
INTERRUPTED = 130
"""The exit status after Ctrl-C, as in shells."""


class SetupError(PersonalizationError):
    """A step of the set-up failed; the message says which, why and what to do."""


def say(text: str) -> None:
    """Print a line to standard error, like all progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def elapsed(seconds: float) -> str:
    """`12 s` or `3 min 20 s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def run_reported(
    command: Sequence[str],
    what: str,
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_seconds: float,
    progress: Callable[[int, str], str] = lambda _count, line: line.strip()[:80],
) -> None:
    """Run a command to its end, reporting progress every few seconds.

    `progress` gets the number of lines that the command has printed, and the last of them. Raises `SetupError` with the
    command's last lines if it fails, does not start or takes longer than `timeout_seconds`.
    """
    say(f"{what} ...")
    started = time.monotonic()
    process = _start(command, what, folder, environment)
    output = _Output(process)
    try:
        while _still_runs(process):
            spent = time.monotonic() - started
            if spent > timeout_seconds:
                raise SetupError(f"{what}: still running after {elapsed(spent)}; its last lines: {output.tail()}")
            words = progress(output.count, output.line())
            say(f"  {what}: {words + ', ' if words else ''}{elapsed(spent)}")
    finally:
        process.kill()
        process.wait()
    output.thread.join(timeout=1)
    if process.returncode != 0:
        raise SetupError(f"{what}: {command[0]} ended with status {process.returncode}: {output.tail()}")
    say(f"{what}: done in {elapsed(time.monotonic() - started)}")


def _start(command: Sequence[str], what: str, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(  # noqa: S603 - the callers' own fixed commands
            command,
            cwd=str(folder),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise SetupError(f"{what}: {command[0]} does not start ({error})") from error


def _still_runs(process: subprocess.Popen[str]) -> bool:
    """Wait until the next progress line is due; False if the process has ended by then."""
    try:
        process.wait(timeout=SECONDS_BETWEEN_LINES)
    except subprocess.TimeoutExpired:
        return True
    return False


class _Output:
    """The lines that a process prints, read at once so that it never blocks on a full pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.count = 0
        self._last: deque[str] = deque(maxlen=6)
        self._process = process
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.count += 1
            if line.strip():
                self._last.append(line.strip())

    def line(self) -> str:
        return self._last[-1] if self._last else ""

    def tail(self) -> str:
        return " / ".join(self._last) or "it printed nothing"


def exit_status(prepare: Callable[[], object]) -> int:
    """Call `prepare` and return the exit status of the process; an error is one line."""
    try:
        prepare()
    except PersonalizationError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
