"""Runs of Databricks jobs: one thread for each, with the states that the Jobs API shows."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HANG_SECONDS = 2.0
"""When a run that hangs reaches its job's time limit."""
FORCED_MESSAGES = {
    "hang": "The run timed out.",
    "fail": "Task train failed with message: the test ordered it.",
}


class Life(StrEnum):
    """`life_cycle_state` of the Jobs API."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    TERMINATED = "TERMINATED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass
class Run:
    number: int
    job: str
    token: str | None
    parameters: dict[str, str]
    inputs: dict[str, Any]
    """The job's settings at its start."""
    caller: str
    started: float = field(default_factory=time.time)
    ended: float = 0.0
    life: Life = Life.PENDING
    result: str | None = None
    message: str = ""
    error: str = ""
    """The task's own error message."""
    output: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)


class TaskFailedError(RuntimeError):
    """The task ended with an error; the text is the task's own."""


class LibraryError(RuntimeError):
    """A library of the task can't be installed, so the task never starts; the text is Databricks' message."""


Task = Callable[[Run], str]
"""What a run does: returns the task's output or raises `TaskFailedError` or `LibraryError`; ends soon after
`run.cancelled` is set."""


class Runs:
    def __init__(self, task: Task) -> None:
        """Every run does `task`."""
        self._task = task
        self._runs: dict[int, Run] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(
        self,
        job: str,
        *,
        inputs: dict[str, Any],
        parameters: dict[str, str],
        caller: str,
        token: str | None,
        forced: str,
    ) -> Run:
        """Start a run, or return the one with the same token, whatever its state.

        `forced` replaces the task's result, see `FORCED_MESSAGES`; empty for the task's own.
        """
        with self._lock:
            known = self.known(token)
            if known is not None:
                return known
            run = Run(len(self._runs) * 10 + 500, job, token=token, parameters=parameters, inputs=inputs, caller=caller)
            self._runs[run.number] = run
        thread = threading.Thread(target=self._follow, args=(run, forced), name=f"run-{run.number}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return run

    def known(self, token: str | None) -> Run | None:
        """The run that was started with this token."""
        return next((run for run in list(self._runs.values()) if token and run.token == token), None)

    def get(self, number: int) -> Run | None:
        """The run with this number; a task's number is its run's plus one."""
        return self._runs.get(number) or self._runs.get(number - 1)

    def of(self, job: str | None) -> list[Run]:
        """The runs of a job or all of them, newest first."""
        return [run for run in reversed(self._runs.values()) if job in {None, run.job}]

    def stop(self) -> None:
        """Cancel all running runs and wait for them."""
        for run in self._runs.values():
            run.cancelled.set()
        self.wait()

    def wait(self) -> None:
        """Wait until all runs are over."""
        for thread in self._threads:
            thread.join()

    def _follow(self, run: Run, forced: str) -> None:
        run.life, run.message = Life.RUNNING, "In run"
        life = self._work(run, forced)
        if run.cancelled.is_set():
            run.result, run.message = "CANCELED", "Run cancelled."
        run.ended = time.time()
        run.life = life

    def _work(self, run: Run, forced: str) -> Life:
        """Do the task; returns the run's last state."""
        if forced == "hang" and run.cancelled.wait(HANG_SECONDS):
            return Life.TERMINATED
        if forced:
            run.result, run.message = "TIMEDOUT" if forced == "hang" else "FAILED", FORCED_MESSAGES[forced]
            run.error = "" if forced == "hang" else run.message
            return Life.TERMINATED
        try:
            run.output = self._task(run)
        except LibraryError as error:
            run.result, run.message = "FAILED", str(error)
            return Life.INTERNAL_ERROR
        except Exception as error:  # noqa: BLE001 - whatever ends a task is the run's error
            run.result, run.message, run.error = "FAILED", "Task train failed with message: see its output.", str(error)
            return Life.TERMINATED
        run.result, run.message = "SUCCESS", ""
        return Life.TERMINATED
