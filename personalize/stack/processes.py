"""`reset`: ends what runs from a stack's folder and deletes the folder."""

from pathlib import Path

from personalize.errors import StackBusyError, StackMissingError
from personalize.stack.locks import read_locks
from personalize.stack.stack_files import StackFiles
from steps.child import end_orphan
from steps.folders import StackFolder
from steps.service_processes import ServiceProcesses


def reset_stack(stack: str) -> tuple[int, Path]:
    """Stop the stack's service and training, and delete its folder. Returns the number of the service's processes, and
    the folder.

    Raises `StackMissingError` if there is no folder, `StackBusyError` during an update of the stack.
    """
    files = StackFiles(stack)
    folder = files.folder
    if not folder.is_dir():
        raise StackMissingError(f"There is nothing to reset: {folder} does not exist.")
    for lock in read_locks(files.state):
        if not lock.is_stale():
            raise StackBusyError(f"Stack {stack} is being changed by {lock}. {lock.way_out}; then run this again.")
    service = ServiceProcesses(StackFolder(folder))
    processes = service.all()
    service.end(processes)
    for run in StackFolder(folder).runs.glob("*/"):
        end_orphan(run)
    files.delete()
    return len(processes), folder
