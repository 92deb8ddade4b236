"""Spark jobs that end when the run is interrupted."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame

Found = TypeVar("Found")


def interruptible(frame: DataFrame, job: Callable[[DataFrame], Found]) -> Found:
    """The result of a job on the frame, such as `DataFrame.collect`; a signal or any exception meanwhile cancels it.

    The job runs in another thread. Interrupted in the main thread, PySpark would first notify Java on the connection
    that the job occupies, and Java would only listen after the job.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        running: Future[Found] = thread.submit(inheritable_thread_target(job), frame)
        try:
            return running.result()
        except BaseException:
            with suppress(Py4JError, OSError):  # without Java there are no jobs
                frame.sparkSession.sparkContext.cancelAllJobs()
            raise
