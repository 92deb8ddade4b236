"""The processes that run from a stack's folder, and `reset`, which ends them and deletes the folder."""

from pathlib import Path

import psutil

from personalize.errors import StackBusyError, StackMissingError
from personalize.stack.locks import read_locks
from personalize.stack.stack_files import StackFiles

TIMEOUT_SECONDS = 10.0
"""Time that processes have to end by themselves."""


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes with an argument or a working directory inside `folder`."""
    return [process for process in psutil.process_iter() if _runs_from(process, folder)]


def _runs_from(process: psutil.Process, folder: Path) -> bool:
    try:
        paths = [*process.cmdline()[1:], process.cwd()]
    except psutil.Error:
        return False
    return any(folder in Path(argument.rpartition("=")[2]).parents for argument in paths)


def reset_stack(stack: str) -> tuple[int, Path]:
    """Stop the stack's processes and delete its folder. Returns the number of processes, and the folder.

    Raises `StackMissingError` if there is no folder, `StackBusyError` during an update of the stack.
    """
    files = StackFiles(stack)
    folder = files.folder
    if not folder.is_dir():
        raise StackMissingError(f"There is nothing to reset: {folder} does not exist.")
    for lock in read_locks(files.state):
        if not lock.is_stale():
            raise StackBusyError(
                f"Stack {stack} is being changed by {lock}. Stop that process first: `kill -INT {lock.pid}`."
            )
    processes = processes_of(folder)
    for process in processes:
        process.terminate()
    for process in psutil.wait_procs(processes, timeout=TIMEOUT_SECONDS)[1]:
        process.kill()
    files.delete()
    return len(processes), folder
