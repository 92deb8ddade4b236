"""Spark's jobs, ended by what ends a run."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame

Found = TypeVar("Found")


def interruptible(frame: DataFrame, job: Callable[[DataFrame], Found]) -> Found:
    """What a job on the frame finds, such as `DataFrame.collect`.

    A signal that ends the run, and whatever else is raised meanwhile, cancels it.

    The job has a thread of its own. Interrupted in the main one, PySpark would first tell Java that it has left
    `collect`, and on the same connection Java listens only after the job's end.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        running: Future[Found] = thread.submit(inheritable_thread_target(job), frame)
        try:
            return running.result()
        except BaseException:
            with suppress(Py4JError, OSError):  # a Java that is gone has no jobs
                frame.sparkSession.sparkContext.cancelAllJobs()
            raise
