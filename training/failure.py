"""What went wrong, in a sentence, whatever the engine was."""

import errno
from pathlib import Path

from features.errors import PersonalizationError, reason

_NO_SPACE = "No space left on device"


class DiskFullError(PersonalizationError):
    """There is no room for what a run writes."""


class OutOfMemoryError(PersonalizationError):
    """There is too little memory for the data."""


class RunFailedError(PersonalizationError):
    """A run that stopped for a reason of its own."""


def explain(error: Exception, *, log: Path) -> PersonalizationError:
    """The error to show for `error`; the log of the run has the whole story."""
    if isinstance(error, PersonalizationError):
        return error
    cause = reason(error)
    if is_full(error, cause):
        return disk_full(cause, log=log)
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            f"The machine ran out of memory ({cause}). Use fewer rows, or a larger machine. The whole story is in "
            f"{log}."
        )
    return RunFailedError(f"The run failed: {cause}. The whole story is in {log}.")


def is_full(error: Exception, cause: str) -> bool:
    """Whether there was no room on a disk."""
    return _NO_SPACE in cause or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT})


def disk_full(cause: str, *, log: Path) -> DiskFullError:
    """The error for a full disk."""
    return DiskFullError(
        f"The disk is full: {cause}. Nothing half-written was kept. Free some space where {log.parent} lies, or "
        "write elsewhere with `--output`."
    )
