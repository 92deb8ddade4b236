"""Shares the parts of a batch among processes. None is left when the first one ends, however it does."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from training.engines.local.pool import LOST, ProcessLostError, end_with_parent

Task = TypeVar("Task")


def shared(function: Callable[[Task], int], tasks: Sequence[Task], processes: int) -> Iterator[int]:
    """What a function returns for each task, in the order in which they are done.

    Raises the first failing task's error, or `ProcessLostError`. Tasks that are not done then are given up.
    """
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin) as pool:
        try:
            for done in as_completed([pool.submit(function, task) for task in tasks]):
                yield done.result()
        except BrokenProcessPool as error:
            raise ProcessLostError(f"{LOST}. Run the command again: it continues where it stopped.") from error
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin() -> None:
    """Set up a process: Ctrl-C reaches all of them, and the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
