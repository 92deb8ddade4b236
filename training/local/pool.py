"""Runs tasks in this process or, for larger data, in one process per core."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from typing import TypeVar

from features.errors import PersonalizationError
from training.model.unneeded import Unneeded

Task = TypeVar("Task")
Answer = TypeVar("Answer")
PRELOADED = ["training.local.engine", "training.evaluation.reachable", "training.evaluation.measure"]
"""Modules that every worker needs, imported once by the fork server."""


UNNEEDED = ("pandas",)
"""Arrow and scikit-learn import it if it is there, and nothing here needs it: it takes seconds in each process."""


LOST = "A process of the run was killed while it was working. If nobody killed it, the machine ran out of memory"


class ProcessLostError(PersonalizationError):
    """A worker process ended in the middle of a task."""


class Pool:
    """Runs picklable functions and returns their answers in the order of the tasks."""

    def __init__(self, processes: int) -> None:
        """Use this many processes; with 1, everything runs in this process."""
        self.processes = processes
        self._executor: ProcessPoolExecutor | None = None
        if processes > 1:  # the fork server imports while this process does
            multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
            forkserver.ensure_running()

    def map(self, function: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answer to each task. Raises the first failing task's error, or `ProcessLostError`."""
        if self.processes == 1 or len(tasks) == 1:
            yield from map(function, tasks)
            return
        try:
            yield from self._started().map(function, tasks)
        except BrokenProcessPool as error:
            raise ProcessLostError(f"{LOST}: use fewer rows, or a larger machine.") from error

    def close(self) -> None:
        """End the processes; tasks that have not started are dropped."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            self._executor = ProcessPoolExecutor(self.processes, mp_context=context, initializer=_begin)
        return self._executor


def _begin() -> None:
    """Set up a worker: it skips unneeded imports, and ends when the run's process ends for any reason."""
    sys.meta_path.insert(0, Unneeded(*UNNEEDED))
    end_with_parent()


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended for any reason."""

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def cores() -> int:
    """How many cores this process may use; macOS lets every process use all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
