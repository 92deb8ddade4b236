"""Tasks in this process or, where there is enough to do for it to pay, in one process for each core."""

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
PRELOADED = ["training.engines.local.tasks", "training.evaluation.reachable", "training.evaluation.score"]
"""What every process of a pool needs, imported once, by the one that they are forked from."""


UNNEEDED = ("pandas",)
"""What Arrow would import for the first of its arrays that becomes one of NumPy's, and scikit-learn for itself."""


class ProcessLostError(PersonalizationError):
    """A process of the pool ended in the middle of a task."""


class Pool:
    """Runs functions that can be pickled, and gives their answers in the order of the tasks."""

    def __init__(self, processes: int) -> None:
        """Use so many processes; with one, all is done in this one."""
        self.processes = processes
        self._executor: ProcessPoolExecutor | None = None
        if processes > 1:  # what they are forked from imports while this process does, too
            multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
            forkserver.ensure_running()

    def map(self, function: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answer to each task. Raises what the first task that fails raises, and `ProcessLostError`."""
        if self.processes == 1 or len(tasks) == 1:
            yield from map(function, tasks)
            return
        try:
            yield from self._started().map(function, tasks)
        except BrokenProcessPool as error:
            raise ProcessLostError(
                "A process of the run was ended in the middle of its work. If nobody did, the machine was out of "
                "memory: use fewer rows, or a larger machine."
            ) from error

    def close(self) -> None:
        """End the processes; tasks that have not begun are dropped."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            self._executor = ProcessPoolExecutor(self.processes, mp_context=context, initializer=_begin)
        return self._executor


def _begin() -> None:
    """Have this process import as little as the run does, and end as soon as it does, however that ended."""
    sys.meta_path.insert(0, Unneeded(*UNNEEDED))

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def cores() -> int:
    """How many cores this process may use; macOS lets every process use all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
