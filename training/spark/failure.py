"""Spark's failures as sentences: the root cause below the layers of Spark, Java and Python, and what to do; and a guard
that ends a fit as soon as an executor is lost.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from features.errors import PersonalizationError, reason
from training.failure import OutOfMemoryError, disk_full, is_full
from training.platform import on_databricks
from training.progress import background

_LOST = ("ExecutorLostFailure", "Lost executor", "executor lost", "Connection refused", "Connection reset")
"""What Spark and SynapseML report when an executor is lost or unreachable."""
_NO_MEMORY = re.compile(r"java\.lang\.OutOfMemoryError: [^\n]*|exited with code 52\b")
"""An executor with a full heap exits with code 52."""
_BROKEN_OFF = re.compile(r"An error occurred while calling \S+")
"""Py4J's whole message when a connection breaks during a call."""
_WORKER_ERROR = re.compile(r"^([\w.]+(?:Error|Exception)): (.+)$", re.MULTILINE)


class ExecutorLostError(PersonalizationError):
    """An executor was lost, and the others could not take over its work."""


class SparkGoneError(PersonalizationError):
    """The Java process of a local session ended."""


class SparkFailedError(PersonalizationError):
    """Any other failure of Spark."""


def explain(error: Exception, *, log: Path, start: int = 0) -> PersonalizationError:
    """The error to show for `error`; the run's log is `log` from the byte `start` on."""
    if isinstance(error, PersonalizationError):
        return error
    cause = root_cause(error)
    if is_full(error, cause):
        return disk_full(cause, log=log)
    # Java exits when its heap is full, and Python then only sees a closed connection.
    no_memory = _NO_MEMORY.search(cause) or _NO_MEMORY.search(_end_of(log, start))
    if no_memory:
        return OutOfMemoryError(
            f"Spark ran out of memory ({no_memory.group()}). Increase `{memory_setting()}`, or use fewer rows. "
            f"The log is {log}."
        )
    if isinstance(error, Py4JNetworkError | ConnectionError) or _BROKEN_OFF.fullmatch(str(error)):
        return SparkGoneError(
            f"Spark's Java process ended ({cause}). If nobody ended it, the machine ran out of memory: use fewer rows, "
            f"or a larger machine. The log is {log}."
        )
    if any(sign in cause for sign in _LOST):
        return ExecutorLostError(
            f"An executor was lost ({cause}). If it was a spot machine, run again on machines that are not. If it ran "
            f"out of memory, increase `{memory_setting()}`. The log is {log}."
        )
    return SparkFailedError(f"The run failed: {cause}. The log is {log}.")


def _end_of(log: Path, start: int) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(start)
        return stream.read().decode(errors="replace")


def memory_setting() -> str:
    """The setting for Spark's memory where this run runs."""
    return "azure.training_vm_size" if on_databricks() else "training.driver_memory_gib"


def root_cause(error: Exception) -> str:
    """The innermost cause of `error` in one line, through Java's causes and a Python worker's traceback."""
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


Executors = frozenset[str]
"""Host and port of each executor and of the driver."""


def executors(spark: SparkContext) -> Executors:
    """The current executors; a local session has only its driver."""
    status = spark._jsc.sc().getExecutorMemoryStatus()  # noqa: SLF001 - PySpark has no way of its own
    return frozenset(status.keySet().mkString(",").split(","))


def slots_of_each(spark: SparkContext) -> int:
    """How many tasks an executor runs at a time, one per core."""
    return max(1, spark.defaultParallelism // max(1, len(executors(spark)) - 1))


@contextmanager
def all_needed(spark: SparkContext) -> Iterator[None]:
    """Cancel all jobs and raise `ExecutorLostError` if an executor is lost before the block ends.

    During a fit the executors talk to each other directly, so a lost one can't be replaced. Spark would start its tasks
    again, and they would fail; but the other executors wait in native code and occupy all slots, for up to two hours
    with SynapseML 1.1.3.
    """
    at_first, lost = executors(spark), set[str]()

    def look() -> None:
        lost.update(at_first - executors(spark))
        if lost:
            spark.cancelAllJobs()

    try:
        with background(look):
            yield
    except Exception as error:
        look()  # the job may have failed before the loss was noticed
        if not lost:
            raise
        raise ExecutorLostError(
            f"The executor at {', '.join(sorted(lost))} was lost, and LightGBM can't continue without it. If it was a "
            "spot machine, run again on machines that are not. If it ran out of memory (exit code 52 or 137 in Spark's "
            f"log), increase `{memory_setting()}`, or use fewer rows."
        ) from error
