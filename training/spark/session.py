"""The Spark session: the cluster's on Databricks, otherwise a local one, with SynapseML's jars.

A local session logs to one file, so that standard output has only the result.
"""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from string import Template

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from training.parameters import TrainingParameters
from training.platform import on_databricks
from training.runtime import jars, java_home
from training.spark import ALL_CORES

SMALL_DATA = 100_000_000
"""Bytes of data, about 400,000 Criteo rows, up to which Java uses only its fast compiler: a short run never earns back
the time of the optimising one."""

RULES = {
    "spark.sql.ansi.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
}
"""How Spark's expressions compute, and which columns and times it reads, depends on these."""
STACK = "-Xss4m"
"""Room for the lineage of ALS, of which each iteration adds some stages, and which tasks read recursively."""


def compiler_options(data_size: int) -> list[str]:
    """Java's options for a run over `data_size` bytes of data, 0 if unknown."""
    return ["-XX:TieredStopAtLevel=1"] if 0 < data_size <= SMALL_DATA else []


def spark_session(
    parameters: TrainingParameters, *, log: Path, master: str = ALL_CORES, data_size: int = 0
) -> SparkSession:
    """The session to train on. A local one logs to the file `log` and is tuned for `data_size` bytes, 0 if unknown.

    With the master `local-cluster[EXECUTORS,CORES,MEGABYTES]` executors are separate processes, as on a cluster.

    Raises `JavaMissingError` or `JarsError` if a local session cannot be started.
    """
    if on_databricks():
        session = SparkSession.builder.getOrCreate()
        for name, value in RULES.items():
            session.conf.set(name, value)
        return session
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["JAVA_HOME"] = str(java_home())
    # The host name may resolve to an address that a firewall or a network change makes unreachable.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    log_option = configure(log, configuration=log.with_suffix(".properties"))
    builder = SparkSession.builder.master(master).appName("personalization-training")
    for name, value in _settings(parameters, [log_option, STACK, *compiler_options(data_size)]).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def start_workers(spark: SparkSession) -> None:
    """Start a local session's Python worker daemon in the background, because its imports take seconds."""

    def start() -> None:
        with suppress(Py4JError, OSError):  # the session may end meanwhile
            spark.range(0, 1, 1, 1).mapInArrow(lambda batches: batches, "id bigint").collect()

    if not on_databricks():
        threading.Thread(target=start, name="workers", daemon=True).start()


def _settings(parameters: TrainingParameters, java: Sequence[str]) -> dict[str, str]:
    return {
        "spark.driver.memory": f"{parameters.driver_memory_gib}g",
        "spark.driver.extraJavaOptions": " ".join(java),
        "spark.executor.extraJavaOptions": STACK,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.jars": ",".join(str(jar) for jar in jars()),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **RULES,
        # The default keeps a checksum beside each file, and cannot name that of `10:30.csv`.
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        # Small files are spread over all cores instead of being read by one.
        "spark.sql.files.openCostInBytes": str(256 * 1024),
        "spark.python.daemon.module": "training.spark.workers",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Batches that fit the CPU cache are encoded fastest.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "8192",
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    }


_CONFIGURATION = Template("""\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = $log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
# SynapseML reports its iterations only here.
logger.lightgbm.name = com.microsoft.azure.synapse.ml.lightgbm
logger.lightgbm.level = info
""")


def configure(log: Path, *, configuration: Path) -> str:
    """Write a log4j configuration that logs to `log`; returns the JVM option for it."""
    configuration.write_text(_CONFIGURATION.substitute(log=log.absolute()), encoding="utf-8")
    return f"-Dlog4j2.configurationFile={configuration.absolute().as_uri()}"


class Follower:
    """Follows a growing file, which may not exist yet."""

    def __init__(self, file: Path) -> None:
        """Start after the file's current end."""
        self._file = file
        self._position = file.stat().st_size if file.exists() else 0

    def lines(self) -> Iterator[str]:
        """The complete lines added since the last call."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._position)
            added = stream.read()
        complete = added[: added.rfind(b"\n") + 1]
        self._position += len(complete)
        yield from complete.decode(errors="replace").splitlines()
