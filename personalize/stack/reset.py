"""The way out of a lost state: stop a stack's processes and delete its folder, without the engine."""

from pathlib import Path

import psutil

from personalize.errors import StackBusyError, StackMissingError
from personalize.stack.locks import read_locks
from personalize.stack.processes import processes_of
from personalize.stack.stack_files import StackFiles

TIMEOUT_SECONDS = 10.0
"""How long processes may take to end by themselves."""


def reset_stack(stack: str) -> tuple[int, Path]:
    """Stop what runs from the stack's folder and delete that; returns how many processes were stopped, and the folder.

    Raises `StackMissingError` without such a folder and `StackBusyError` while an update of the stack runs.
    """
    files = StackFiles(stack)
    folder = files.folder
    if not folder.is_dir():
        raise StackMissingError(f"There is nothing to reset: {folder} does not exist.")
    for lock in read_locks(files.state):
        if not lock.is_stale():
            raise StackBusyError(f"Stack {stack} is being changed by {lock}. Stop that first: `kill -INT {lock.pid}`.")
    processes = processes_of(folder)
    for process in processes:
        process.terminate()
    for process in psutil.wait_procs(processes, timeout=TIMEOUT_SECONDS)[1]:
        process.kill()
    files.delete()
    return len(processes), folder
