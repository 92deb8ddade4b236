"""How the set-up prints messages, runs long commands and reports errors.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from features.errors import PersonalizationError

SECONDS_BETWEEN_LINES = 10
LINES_SHOWN = 6
"""Of the end of a command's output."""
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
    """Run a command to its end, and say every few seconds that it still runs.

    Raises `SetupError` with the command's last lines if it fails, does not start or takes longer than
    `timeout_seconds`.
    """
    say(f"{what} ...")
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the callers' own fixed commands
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise SetupError(f"{what}: {command[0]} does not start ({error})") from error
        try:
            while process.poll() is None and (spent := time.monotonic() - started) < timeout_seconds:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SECONDS_BETWEEN_LINES)
                    break
                say(f"  {what}: {elapsed(spent)}")
        finally:
            ended = process.poll()
            process.kill()
            process.wait()
        if ended != 0:
            output.seek(0)
            last = " / ".join([line.strip() for line in output if line.strip()][-LINES_SHOWN:]) or "it printed nothing"
            how = f"still running after {elapsed(spent)}" if ended is None else f"ended with status {ended}"
            raise SetupError(f"{what}: {command[0]} {how}: {last}")
    say(f"{what}: done in {elapsed(time.monotonic() - started)}")


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
