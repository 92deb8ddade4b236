"""What went wrong, in a sentence: the cause beneath a stack of Spark, Java and Python, and the way out."""

import errno
import re
from pathlib import Path

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from features.errors import PersonalizationError

_NO_SPACE = "No space left on device"
_LOST = ("ExecutorLostFailure", "Lost executor", "executor lost", "Connection refused", "Connection reset")
"""What Spark and SynapseML say when an executor is gone, or when the others cannot reach it."""
_WORKER_ERROR = re.compile(r"^([\w.]+(?:Error|Exception)): (.+)$", re.MULTILINE)


class DiskFullError(PersonalizationError):
    """There is no room for what a run writes."""


class OutOfMemoryError(PersonalizationError):
    """Spark's heap is too small for the data."""


class ExecutorLostError(PersonalizationError):
    """A process or machine of the cluster went away while LightGBM trained, which it does not survive."""


class SparkFailedError(PersonalizationError):
    """Spark stopped for a reason of its own."""


def explain(error: Exception, *, log: Path) -> PersonalizationError:
    """The error to show for `error`; the log of the run, `log`, has the whole story."""
    if isinstance(error, PersonalizationError):
        return error
    cause = root_cause(error)
    if _NO_SPACE in cause or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}):
        return DiskFullError(
            f"The disk is full: {cause}. Nothing half-written was kept. Free some space where {log.parent} lies, or "
            "write elsewhere with `--output`."
        )
    if "OutOfMemoryError" in cause:
        return OutOfMemoryError(
            f"Spark ran out of memory ({cause}). Give it more with the setting `driver_memory_gib`, or use fewer rows."
        )
    if any(sign in cause for sign in _LOST):
        return ExecutorLostError(
            f"An executor was lost, and LightGBM does not survive that ({cause}). Run it again, on machines that stay "
            f"(no spot ones) and with enough memory each. The whole story is in {log}."
        )
    return SparkFailedError(f"The run failed: {cause}. The whole story is in {log}.")


def root_cause(error: Exception) -> str:
    """The innermost cause of `error`, through Java's causes and a Python worker's traceback, in one line."""
    text = f"{type(error).__name__}: {error}"
    java = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    if isinstance(error, Py4JError | PySparkException) and java is not None:
        while java.getCause() is not None:
            java = java.getCause()
        text = str(java.toString())
    worker = _WORKER_ERROR.findall(text)
    if worker:
        text = ": ".join(worker[-1])
    return text.strip().splitlines()[0].rstrip(".")
