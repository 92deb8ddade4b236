"""What went wrong on Spark, in a sentence: the cause beneath a stack of Spark, Java and Python, and the way out."""

import re
from pathlib import Path

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException

from features.errors import PersonalizationError, reason
from training.failure import OutOfMemoryError, disk_full, is_full
from training.platform import on_databricks

_LOST = ("ExecutorLostFailure", "Lost executor", "executor lost", "Connection refused", "Connection reset")
"""What Spark and SynapseML say when an executor is gone, or when the others cannot reach it."""
_NO_MEMORY = re.compile(r"java\.lang\.OutOfMemoryError: [^\n]*|exited with code 52\b")
"""52 is the exit code of an executor whose heap is full."""
_BROKEN_OFF = re.compile(r"An error occurred while calling \S+")
"""All that Py4J says of a connection that broke in the middle of a call."""
_WORKER_ERROR = re.compile(r"^([\w.]+(?:Error|Exception)): (.+)$", re.MULTILINE)


class ExecutorLostError(PersonalizationError):
    """A process or machine of the cluster went away, and its work could not be done by the others."""


class SparkGoneError(PersonalizationError):
    """The Java process of a local session ended."""


class SparkFailedError(PersonalizationError):
    """Spark stopped for a reason of its own."""


def explain(error: Exception, *, log: Path, start: int = 0) -> PersonalizationError:
    """The error to show for `error`; the log of the run, `log` from the byte `start` on, has the whole story."""
    if isinstance(error, PersonalizationError):
        return error
    cause = root_cause(error)
    if is_full(error, cause):
        return disk_full(cause, log=log)
    # Java ends itself when its heap is full, and what Python then sees of it is that nobody answers.
    no_memory = _NO_MEMORY.search(cause) or _NO_MEMORY.search(_end_of(log, start))
    if no_memory:
        return OutOfMemoryError(
            f"Spark ran out of memory ({no_memory.group()}). Give it more with the setting `{memory_setting()}`, or "
            f"use fewer rows. The whole story is in {log}."
        )
    if isinstance(error, Py4JNetworkError | ConnectionError) or _BROKEN_OFF.fullmatch(str(error)):
        return SparkGoneError(
            f"Spark's Java process is gone ({cause}). If nobody ended it, the machine itself was out of memory: use "
            f"fewer rows, or a larger machine. The whole story is in {log}."
        )
    if any(sign in cause for sign in _LOST):
        return ExecutorLostError(
            f"An executor was lost ({cause}). Run again, on machines that stay (no spot ones). If it ran out of "
            f"memory, give it more with the setting `{memory_setting()}`. The whole story is in {log}."
        )
    return SparkFailedError(f"The run failed: {cause}. The whole story is in {log}.")


def _end_of(log: Path, start: int) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(start)
        return stream.read().decode(errors="replace")


def memory_setting() -> str:
    """The setting that gives Spark more memory, where it runs."""
    return "azure.training_vm_size" if on_databricks() else "training.driver_memory_gib"


def root_cause(error: Exception) -> str:
    """The innermost cause of `error`, through Java's causes and a Python worker's traceback, in one line."""
    text = str(error)
    java = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    if isinstance(error, Py4JError | PySparkException) and java is not None:
        while java.getCause() is not None:
            java = java.getCause()
        text = str(java.toString())
    worker = _WORKER_ERROR.findall(text)
    if not worker:
        return reason(Exception(text))
    name, said = worker[-1]
    return reason(Exception(f"{name}: {said}" if "." in name else said))  # a name of Java's has dots, and says more
