"""A cluster's executors, the processes that do Spark's tasks, and the block that ends as soon as one of them is gone.

LightGBM's executors speak to each other directly, and none can take another's place. When one is lost Spark starts its
tasks anew, which fail; but where the others wait for it in native code they hold every slot that those tasks need, and
SynapseML 1.1.3 lets them wait for two hours.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import SparkContext

from training.engines.spark.failure import ExecutorLostError, memory_setting
from training.progress import background

Executors = frozenset[str]
"""Host and port of each executor and of the driver."""


def executors(spark: SparkContext) -> Executors:
    """The processes that are there now; a local session has its driver alone."""
    status = spark._jsc.sc().getExecutorMemoryStatus()  # noqa: SLF001 - PySpark has no way of its own
    return frozenset(status.keySet().mkString(",").split(","))


def slots_of_each(spark: SparkContext) -> int:
    """How many tasks an executor does at a time, which is how many cores it has."""
    return max(1, spark.defaultParallelism // max(1, len(executors(spark)) - 1))


@contextmanager
def all_needed(spark: SparkContext) -> Iterator[None]:
    """Cancel every job of the session and raise `ExecutorLostError` when an executor is lost before the block ends."""
    at_first, lost = executors(spark), set[str]()

    def look() -> None:
        lost.update(at_first - executors(spark))
        if lost:
            spark.cancelAllJobs()

    try:
        with background(look):
            yield
    except Exception as error:
        look()  # what was lost may have failed the job before it was noticed
        if not lost:
            raise
        raise ExecutorLostError(
            f"The executor at {', '.join(sorted(lost))} was lost, and LightGBM does not survive that. If it was taken "
            "away, run again, on machines that stay (no spot ones). If it ran out of memory (exit code 52 or 137 in "
            f"Spark's log), give it more with the setting `{memory_setting()}`, or use fewer rows."
        ) from error
