"""Child processes that never outlive the test, however it ends."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
LAST_LINES = 15


class ProcessFailedError(RuntimeError):
    """A process of the simulation ended, or didn't become ready in time."""


class Process:
    """A program with its output in a file. The kernel kills it when the thread that started it ends."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str]) -> None:
        """Starts it at once, with `environment` alone."""
        self.name = name
        self._log = log
        with log.open("ab") as output:
            # `setpriv` asks for the signal in the child itself, which Python can't do safely beside threads.
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for `ready`. Raises `ProcessFailedError` with the log's last lines if the process ended first or took
        too long."""
        until = time.monotonic() + seconds
        while not ready():
            if self._child.poll() is not None:
                raise ProcessFailedError(f"{self.name} ended with {self._child.returncode}:\n{self._tail()}")
            if time.monotonic() > until:
                raise ProcessFailedError(f"{self.name} was not ready after {seconds:.0f} s:\n{self._tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Terminate it, and kill it if it doesn't end in time."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])
