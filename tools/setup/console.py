"""How the set-up prints messages, runs long commands and reports errors.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from features.errors import PersonalizationError

SECONDS_BETWEEN_LINES = 10
LONGEST_SHOWN = 2_000
"""Bytes of the end of a command's output."""
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
    command: Sequence[str], what: str, *, folder: Path, environment: Mapping[str, str], timeout_seconds: float
) -> None:
    """Run a command to its end, reporting its last line every few seconds.

    Raises `SetupError` with the command's last lines if it fails, does not start or takes longer than
    `timeout_seconds`.
    """
    say(f"{what} ...")
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the callers' own fixed commands
                command,
                cwd=str(folder),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise SetupError(f"{what}: {command[0]} does not start ({error})") from error
        try:
            while _still_runs(process):
                spent = time.monotonic() - started
                if spent > timeout_seconds:
                    last = " / ".join(_last_lines(output))
                    raise SetupError(f"{what}: still running after {elapsed(spent)}; its last lines: {last}")
                say(f"  {what}: {', '.join([line[:80] for line in _last_lines(output)[-1:]] + [elapsed(spent)])}")
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            last = " / ".join(_last_lines(output)) or "it printed nothing"
            raise SetupError(f"{what}: {command[0]} ended with status {process.returncode}: {last}")
    say(f"{what}: done in {elapsed(time.monotonic() - started)}")


def _still_runs(process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the next progress line is due; False if the process has ended by then."""
    try:
        process.wait(timeout=SECONDS_BETWEEN_LINES)
    except subprocess.TimeoutExpired:
        return True
    return False


def _last_lines(output: IO[bytes], count: int = 6) -> list[str]:
    """The last lines that are not empty, read without moving the place where the process writes."""
    size = os.fstat(output.fileno()).st_size
    text = os.pread(output.fileno(), LONGEST_SHOWN, max(0, size - LONGEST_SHOWN)).decode(errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()][-count:]


def exit_status(prepare: Callable[[], object]) -> int:
    """Call `prepare` and return the exit status of the process; an error is one line."""
    try:
        prepare()
    except PersonalizationError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run continues from here")
        return INTERRUPTED
    return 0
