import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException

from features.errors import PersonalizationError
from training.failure import DiskFullError, OutOfMemoryError, RunFailedError
from training.failure import explain as explain_anywhere
from training.spark.failure import (
    ExecutorLostError,
    SparkFailedError,
    SparkGoneError,
    explain,
    root_cause,
)

LOG = Path("runs/1/training.log")

WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "/somewhere/worker.py", line 1247, in main
    process()
ValueError: the number 7 is odd
"""


def test_an_error_that_is_a_sentence_already_is_kept() -> None:
    error = PersonalizationError("The sentence.")
    assert explain(error, log=LOG) is error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("explain", [explain, explain_anywhere])
def test_a_full_disk_is_told_with_the_way_out(number: int, explain: Callable[..., PersonalizationError]) -> None:
    explained = explain(OSError(number, "no room", "/data/bundle"), log=LOG)
    assert isinstance(explained, DiskFullError)
    assert "/data/bundle" in str(explained)
    assert "--output" in str(explained)


def test_a_full_disk_within_spark_is_told_the_same_way() -> None:
    assert isinstance(explain(RuntimeError("java.io.IOException: No space left on device"), log=LOG), DiskFullError)


def test_memory_that_ran_out_names_the_setting() -> None:
    explained = explain(RuntimeError("java.lang.OutOfMemoryError: Java heap space"), log=LOG)
    assert isinstance(explained, OutOfMemoryError)
    assert "training.driver_memory_gib" in str(explained)


def test_on_databricks_memory_is_a_matter_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    explained = explain(RuntimeError("ExecutorLostFailure: Command exited with code 52"), log=LOG)
    assert isinstance(explained, OutOfMemoryError)
    assert "azure.training_vm_size" in str(explained)


def test_memory_that_ran_out_is_found_in_the_log_of_a_java_that_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "training.log"
    log.write_text("of the run before\n")
    start = log.stat().st_size
    gone = Py4JNetworkError("Answer from Java side is empty")
    assert isinstance(explain(gone, log=log, start=start), SparkGoneError)
    log.write_text("of the run before\njava.lang.OutOfMemoryError: Java heap space\n\tat java.base/x\n")
    explained = explain(gone, log=log, start=start)
    assert isinstance(explained, OutOfMemoryError)
    assert "OutOfMemoryError: Java heap space)" in str(explained)
    assert isinstance(explain(gone, log=log, start=log.stat().st_size), SparkGoneError)


def test_a_call_that_broke_off_is_a_java_that_is_gone_and_one_that_failed_is_not() -> None:
    broke_off = Py4JError("An error occurred while calling o386.defaultParallelism")
    assert isinstance(explain(broke_off, log=LOG), SparkGoneError)
    failed = Py4JError("An error occurred while calling o1.f. Trace:\npy4j.Py4JException: Method f() does not exist")
    assert isinstance(explain(failed, log=LOG), SparkFailedError)


@pytest.mark.parametrize(
    "cause",
    [
        "ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: Command exited with 137",
        "Lost task 0.3 in stage 5.0 (TID 9) (127.0.0.1 executor 1): java.net.ConnectException: Connection refused",
    ],
)
def test_a_lost_executor_is_told_with_the_way_out(cause: str) -> None:
    explained = explain(RuntimeError(f"org.apache.spark.SparkException: Job aborted: {cause}"), log=LOG)
    assert isinstance(explained, ExecutorLostError)
    assert "If it was a spot machine" in str(explained)
    assert cause.rstrip(".") in str(explained)


def test_any_other_failure_is_its_cause_and_where_the_log_is() -> None:
    explained = explain(RuntimeError(WORKER), log=LOG)
    assert isinstance(explained, SparkFailedError)
    assert "The run failed: the number 7 is odd." in str(explained)
    assert str(LOG) in str(explained)
    assert "Traceback" not in str(explained)


def test_without_spark_a_failure_is_its_own_words_and_where_the_log_is() -> None:
    explained = explain_anywhere(ValueError("the number 7 is odd\nand more"), log=LOG)
    assert isinstance(explained, RunFailedError)
    assert str(explained) == f"The run failed: the number 7 is odd. The log is {LOG}."
    assert isinstance(explain_anywhere(MemoryError("1 GiB"), log=LOG), OutOfMemoryError)


def test_the_cause_is_the_innermost_of_javas() -> None:
    class Thrown:
        """An exception of Java's."""

        def __init__(self, text: str, cause: "Thrown | None" = None) -> None:
            self.toString = lambda: text
            self.getCause = lambda: cause

    error = PySparkException("An error occurred")
    innermost = Thrown("java.io.IOException: No such file")
    error._origin = Thrown("java.lang.RuntimeException: failed", Thrown("org.Job: aborted", innermost))  # type: ignore[attr-defined]  # noqa: SLF001 - PySpark's own
    assert root_cause(error) == "java.io.IOException: No such file"


def test_the_cause_is_one_line() -> None:
    assert root_cause(RuntimeError("first\nsecond\nthird.")) == "first"
