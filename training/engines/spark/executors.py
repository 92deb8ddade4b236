"""A cluster's executors, and a guard that ends a fit as soon as one of them is lost.

During a fit the executors talk to each other directly, so a lost one can't be replaced. Spark would start its tasks
again, and they would fail; but the other executors wait in native code and occupy all slots, for up to two hours with
SynapseML 1.1.3.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import SparkContext

from training.engines.spark.failure import ExecutorLostError, memory_setting
from training.progress import background

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
    """Cancel all jobs and raise `ExecutorLostError` if an executor is lost before the block ends."""
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
