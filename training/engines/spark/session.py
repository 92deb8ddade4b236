"""The Spark session: the cluster's own on Databricks, otherwise a quiet local one with SynapseML's jars.

A local session writes everything that the JVM has to say to one log file; standard output stays free for the result.
"""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from training.engines import ALL_CORES
from training.engines.spark.log import configure
from training.parameters import Fit, TrainingParameters
from training.platform import on_databricks
from training.runtime import jars, java_home

SMALL_DATA = 50_000_000
"""Bytes of data, 200,000 of Criteo's rows, up to which Java compiles quickly and no better: what its other compiler
takes, a short run never gets back. 100,000 rows take two thirds of the processor time, a million a seventh more."""


def compiler_options(data_size: int, fit: Fit) -> list[str]:
    """Java's options for a run over so many bytes of data, 0 for unknown.

    Where SynapseML does not fit, Java sees blobs and counts alone, and its other compiler takes more than it gives: 20
    of the 72 processor seconds that Java took for a million rows.
    """
    is_quick = fit is not Fit.SYNAPSEML or 0 < data_size <= SMALL_DATA
    return ["-XX:TieredStopAtLevel=1"] if is_quick else []


def spark_session(
    parameters: TrainingParameters, *, log: Path, master: str = ALL_CORES, data_size: int = 0
) -> SparkSession:
    """The session to train on. A local one uses all cores and writes its log to the file `log`; it is made for one pass
    over `data_size` bytes, 0 for unknown.

    With the master `local-cluster[EXECUTORS,CORES,MEGABYTES]` executors are processes of their own, as on a cluster.

    Raises `JavaMissingError` or `JarsError` when a local session cannot be started.
    """
    if on_databricks():
        return SparkSession.builder.getOrCreate()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["JAVA_HOME"] = str(java_home())
    # The machine's name may resolve to an address that a firewall or a changed network cuts off.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    log_option = configure(log, configuration=log.with_suffix(".properties"))
    builder = SparkSession.builder.master(master).appName("personalization-training")
    for name, value in _settings(parameters, [log_option, *compiler_options(data_size, parameters.fit)]).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def start_workers(spark: SparkSession) -> None:
    """Have a local session start the process that Python workers are forked from, and go on meanwhile: what it imports
    takes seconds, in which Java reads rows."""

    def start() -> None:
        with suppress(Py4JError, OSError):  # the session may end meanwhile
            spark.range(0, 1, 1, 1).mapInArrow(lambda batches: batches, "id bigint").collect()

    if not on_databricks():
        threading.Thread(target=start, name="workers", daemon=True).start()


def _settings(parameters: TrainingParameters, java: Sequence[str]) -> dict[str, str]:
    return {
        "spark.driver.memory": f"{parameters.driver_memory_gib}g",
        "spark.driver.extraJavaOptions": " ".join(java),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.jars": ",".join(str(jar) for jar in jars()),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        # Small files are spread over all cores instead of being read by one.
        "spark.sql.files.openCostInBytes": str(256 * 1024),
        "spark.python.daemon.module": "training.engines.spark.workers",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Batches that fit the processor's cache encode fastest.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "8192",
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    }
