"""The engine on Spark: in the cluster's session, or in a local one."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pyspark
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from training.config import TablesSpec
from training.parameters import EngineName, TrainingParameters
from training.platform import on_databricks
from training.progress import Progress, background
from training.spark.failure import explain
from training.spark.rows import SparkRows
from training.spark.session import spark_session, start_workers
from training.spark.tables import prepare
from training.tables.progress import Reporter

STOP_SECONDS = 20
"""How long to wait for Spark to stop. The JVM ends with this process in any case."""


@dataclass(frozen=True, kw_only=True)
class SparkEngine:
    """See `training.protocols.TrainingEngine`; `log` is the local session's log."""

    session: SparkSession
    log: Path
    name = EngineName.SPARK

    @property
    def libraries(self) -> dict[str, str]:
        """Asks PySpark itself, since `importlib.metadata` may not know Databricks' PySpark."""
        return {"pyspark": pyspark.__version__, "synapseml": version("synapseml")}

    @contextmanager
    def stage(self, progress: Progress, name: str, detail: str) -> Iterator[None]:
        """Report the start of a stage and, repeatedly, how many tasks of the running job are done."""

        def report() -> None:
            tracker = self.session.sparkContext.statusTracker()
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            total = sum(stage.numTasks for stage in stages if stage)
            done = sum(stage.numCompletedTasks for stage in stages if stage)
            if total:
                progress(name, f"{detail}, {done} of {total} tasks", done=done, total=total)

        with progress.stage(name, detail), background(report):
            yield

    def prepare(self, spec: TablesSpec, folder: Path, report: Reporter) -> tuple[SparkRows, Counter[str]]:
        """See `training.protocols.TrainingEngine`."""
        frame, found = prepare(self.session, spec, folder, report)
        return SparkRows(frame=frame, schema=spec.joined_schema, log=self.log), found


@contextmanager
def spark_engine(
    parameters: TrainingParameters, *, log: Path, progress: Progress, data_size: int, master: str
) -> Iterator[SparkEngine]:
    """The engine on a local session that ends with the block, or on the cluster's session, which stays."""
    start = log.stat().st_size if log.exists() else 0
    handler = signal.getsignal(signal.SIGINT)
    session = None
    try:
        with progress.stage("start", "start Spark"):
            session = spark_session(parameters, log=log, master=master, data_size=data_size)
        # Spark has replaced the run's handler.
        signal.signal(signal.SIGINT, handler)
        start_workers(session)
        yield SparkEngine(session=session, log=log)
    except Exception as error:
        raise explain(error, log=log, start=start) from error
    finally:
        _end(session)


def _end(session: SparkSession | None) -> None:
    """Stop a local Spark. This is done in another thread, because this thread's Java thread may be in the middle of a
    job."""
    if session is None or on_databricks():
        return

    def stop() -> None:
        # The JVM may be gone already.
        with suppress(Py4JError, OSError):
            session.stop()

    thread = threading.Thread(target=stop, name="stop", daemon=True)
    thread.start()
    thread.join(STOP_SECONDS)
