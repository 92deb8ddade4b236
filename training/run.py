"""A training run in a Spark session and a folder of its own, ended properly whatever happens."""

import hashlib
import logging
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from training import work
from training.arguments import Arguments
from training.datasets.manifest import Manifest
from training.progress import Progress
from training.spark import log
from training.spark.failure import explain
from training.spark.session import ALL_CORES, on_databricks, spark_session, start_workers
from training.spark.streams import output_to
from training.stages.provenance import code_hash

if TYPE_CHECKING:
    from training.result import Result
    from training.stages.pipeline import Pipeline

STOPPED = 128
"""Added to the number of the signal that ended a run, as shells do."""
STOP_SECONDS = 20
"""How long Spark may take to stop; the JVM ends with this process in any case."""


def train(arguments: Arguments, manifest: Manifest, *, master: str = ALL_CORES) -> "Result":
    """Train in the run's folder, with everything that libraries print in its log; `master` as of `spark_session`.

    Raises a `PersonalizationError`, whatever went wrong.
    """
    output = arguments.output or Path("runs") / _run_hash(arguments, manifest)
    log_file = output / log.NAME
    start = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        output.mkdir(parents=True, exist_ok=True)
        start = log_file.stat().st_size if log_file.exists() else 0
        with output_to(log_file) as terminal:
            progress = Progress(terminal, style=arguments.progress)
            return _run(arguments, manifest, output, progress, master=master)
    except Exception as error:
        raise explain(error, log=log_file, start=start) from error


def _run(arguments: Arguments, manifest: Manifest, output: Path, progress: Progress, *, master: str) -> "Result":
    spark = None
    try:
        with progress.stage("start", "start Spark"), ThreadPoolExecutor(1) as pool:
            pipeline = pool.submit(_import_pipeline)
            spark = spark_session(arguments.training, log=output / log.NAME, master=master, data_size=manifest.size)
        # Spark has put a handler of its own in the place of this one.
        signal.signal(signal.SIGINT, _stop)
        start_workers(spark)
        return pipeline.result()(
            spark, arguments, manifest, output=output, log=output / log.NAME, progress=progress
        ).run()
    except Exception:
        logging.getLogger("training").exception("The run failed")
        raise
    finally:
        _end(spark)
        shutil.rmtree(arguments.work or output / work.FOLDER, ignore_errors=True)


def _import_pipeline() -> "type[Pipeline]":
    """What comes after the session takes as long to import as Java to start."""
    from training.stages.pipeline import Pipeline  # noqa: PLC0415 - while Java starts

    return Pipeline


def _end(spark: SparkSession | None) -> None:
    """Stop Spark, unless it is the cluster's own. Each Python thread has a Java thread of its own, and this one's may
    be in the middle of a job."""
    if spark is None or on_databricks():
        return

    def stop() -> None:
        # A JVM that is gone already cannot be stopped.
        with suppress(Py4JError, OSError):
            spark.stop()

    thread = threading.Thread(target=stop, name="stop", daemon=True)
    thread.start()
    thread.join(STOP_SECONDS)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(STOPPED + number)


def _run_hash(arguments: Arguments, manifest: Manifest) -> str:
    inputs = [
        manifest.hash,
        code_hash(),
        arguments.training.model_dump_json(),
        arguments.gate.model_dump_json(),
    ]
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:16]
