"""Failures of a run as sentences, for every engine."""

from pathlib import Path

from features.errors import PersonalizationError, reason
from features.files import NO_SPACE, no_space


class DiskFullError(PersonalizationError):
    """The disk is full."""


class OutOfMemoryError(PersonalizationError):
    """The machine has too little memory for the data."""


class RunFailedError(PersonalizationError):
    """Any other failure of a run."""


def explain(error: Exception, *, log: Path) -> PersonalizationError:
    """The error to show for `error`; details are in the run's `log`."""
    if isinstance(error, PersonalizationError):
        return error
    cause = reason(error)
    if is_full(error, cause):
        return disk_full(cause, log=log)
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            f"The machine ran out of memory ({cause}). Use fewer rows, or a larger machine. The log is {log}."
        )
    return RunFailedError(f"The run failed: {cause}. The log is {log}.")


def is_full(error: Exception, cause: str) -> bool:
    """Whether a disk was full."""
    return no_space(error) is not None or NO_SPACE.search(cause) is not None


def disk_full(cause: str, *, log: Path) -> DiskFullError:
    """The error for a full disk."""
    return DiskFullError(
        f"The disk is full: {cause}. No incomplete file was kept. Free some space on the disk of {log.parent}, or "
        "choose another folder with `--output`."
    )
