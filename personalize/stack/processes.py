"""The processes that run from a stack's folder: supervisor and service."""

from pathlib import Path

import psutil


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes that were started with a path below `folder`, or that work there."""
    return [process for process in psutil.process_iter() if _runs_from(process, folder)]


def _runs_from(process: psutil.Process, folder: Path) -> bool:
    try:
        paths = [*process.cmdline()[1:], process.cwd()]
    except psutil.Error:
        return False
    return any(folder in Path(argument.rpartition("=")[2]).parents for argument in paths)
