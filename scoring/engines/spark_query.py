"""The process of engine `spark-serving`: Spark on one core, whose streaming query serves a port on loopback.

Measurements of SynapseML's Spark Serving are the reasons for the settings here:

- One partition: with two, the continuous source crashes at the second connection. If one core runs only one of the two,
  no epoch ever ends, and the requests that it would commit are kept.
- Long epochs: at the end of each, Hadoop starts a few processes to write a file.
- `nodelay`: without it, Java's HTTP server waits 40 milliseconds for an acknowledgement before it sends.

Each request is one row of the stream. So the records of a request are separate columns, and the model is applied to
each column.
"""

import argparse
import os
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any, cast

from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import ArrayType, DoubleType, StructField, StructType

API = "score"
SLOTS = 8
"""The most records in a request; `spark_serving` has the same number."""

JARS_VARIABLE = "PERSONALIZATION_JARS"
WATCH_SECONDS = 0.25
EPOCH = "10 seconds"
HEAP = "640m"
YOUNG = "256m"
"""The heap's young generation: large enough that requests end before it is full, and only the model leaves it."""


def main() -> None:
    """Serve until the service closes standard input or ends; a query that fails is started again."""
    options = argparse.ArgumentParser(prog="python -m scoring.engines.spark_query")
    options.add_argument("--model", type=Path, required=True)
    options.add_argument("--features", type=int, required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--folder", type=Path, required=True, help="for checkpoints and whatever else Spark writes")
    arguments = options.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service handles Ctrl-C, and ends this process when it is done
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    from synapse.ml.io.IOImplicits import (  # noqa: PLC0415 - patches PySpark, for this alone
        continuous_serving_sink,
        continuous_serving_source,
    )

    spark = session(arguments.folder)
    stream = requests(spark, continuous_serving_source, arguments.port)
    answers = replies(stream, arguments.model, arguments.features)
    history = _History(spark)
    for start in count():
        query = begin(answers, continuous_serving_sink, arguments.folder / str(start))
        while query.isActive:
            time.sleep(WATCH_SECONDS)
            history.forget()
        sys.stderr.write(f"the streaming query ended: {_reason(query)}\n")


def requests(spark: SparkSession, source: str, port: int) -> DataFrame:
    """The stream of requests `{"rows": [[...], ...]}` to `port` of the loopback address."""
    body = StructType([StructField("rows", ArrayType(ArrayType(DoubleType())))])
    stream: DataFrame = (
        spark.readStream.format(source)
        .option("host", "127.0.0.1")
        .option("port", port)
        .option("path", API)
        .option("name", API)
        .option("numPartitions", 1)
        .load()
        .parseRequest(API, body)  # type: ignore[operator] # SynapseML adds it
    )
    return stream


def replies(stream: DataFrame, model: Path, features: int) -> DataFrame:
    """The requests with their replies, each a JSON list of `SLOTS` probabilities."""
    from synapse.ml.lightgbm import LightGBMClassificationModel  # noqa: PLC0415 - needs the session's jars

    loaded = LightGBMClassificationModel.loadNativeModelFromString(model.read_text(encoding="utf-8"))
    loaded = loaded.setRawPredictionCol("").setPredictionCol("")
    nothing = sql.array_repeat(sql.lit(0.0), features)
    given = [sql.get(sql.col("rows"), slot) for slot in range(SLOTS)]
    rows = [sql.transform(row, lambda value: sql.coalesce(value, sql.lit(float("nan")))) for row in given]
    vectors = [array_to_vector(sql.coalesce(row, nothing)).alias(f"features{slot}") for slot, row in enumerate(rows)]
    stream = stream.select("id", *vectors)
    for slot in range(SLOTS):
        loaded = loaded.setFeaturesCol(f"features{slot}").setProbabilityCol(f"probability{slot}")
        stream = loaded.transform(stream)
    clicks = (sql.get(vector_to_array(sql.col(f"probability{slot}")), 1) for slot in range(SLOTS))
    reply = sql.to_json(sql.array(*clicks))
    answered: DataFrame = stream.withColumn("answer", reply).makeReply("answer")  # type: ignore[operator] # the same
    return answered


class _History:
    """Frees answered requests, which SynapseML's continuous source would keep forever.

    It keeps them in case a partition restarts, and drops them only in its other mode (`WorkerServer.commit` in
    `HTTPSourceV2.scala`). At 12 KB per call with eight records, they would fill a heap of 1 GiB in two minutes.
    """

    def __init__(self, spark: SparkSession) -> None:
        self._java = cast("Any", spark._jvm)  # noqa: SLF001 - PySpark's way into Java
        self._spare = self._java.scala.collection.mutable.ListBuffer()

    def forget(self) -> None:
        """Replace the list of kept requests by an empty one, and clear the replaced list at the next call.

        It isn't cleared at once because the thread that reads requests may still be adding to it.
        """
        package = self._java.org.apache.spark.sql.execution.streaming.continuous
        servers = getattr(getattr(package, "HTTPSourceStateHolder$"), "MODULE$")
        if not servers.hasServer(API):
            return
        server = servers.getServer(API)
        field = server.getClass().getDeclaredField("historyQueues")
        field.setAccessible(True)
        histories = field.get(server)
        partitions = histories.keysIterator()  # there is only one partition
        if partitions.hasNext():
            self._spare.clear()
            self._spare = histories.put(partitions.next(), self._spare).get()


def begin(answers: DataFrame, sink: str, checkpoint: Path) -> StreamingQuery:
    """Start the query, which answers each request as it arrives."""
    query = answers.writeStream.format(sink).option("name", API).option("checkpointLocation", str(checkpoint))
    return query.trigger(continuous=EPOCH).queryName(API).start()


def _reason(query: StreamingQuery) -> str:
    """The root cause, picked from the hundreds of lines of Spark's error."""
    lines = str(query.exception()).splitlines()
    return next((line for line in reversed(lines) if line.startswith("Caused by:")), lines[0])


def session(folder: Path) -> SparkSession:
    """A Spark session on one core, with its temporary files in `folder`."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[1]").appName("scoring")
    for name, value in _configuration(folder).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("FATAL")  # `main` reports why a query ended
    return spark


def _configuration(folder: Path) -> dict[str, str]:
    jars = sorted(Path(os.environ[JARS_VARIABLE]).glob("*.jar"))
    java = (
        f"-Dsun.net.httpserver.nodelay=true -Djava.io.tmpdir={folder} -XX:+ExitOnOutOfMemoryError "
        f"-XX:+UseSerialGC -Xmn{YOUNG}"  # the garbage collector for one core
    )
    return {
        "spark.driver.memory": HEAP,
        "spark.driver.extraJavaOptions": java,
        "spark.local.dir": str(folder),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.streaming.ui.enabled": "false",
        "spark.sql.streaming.minBatchesToRetain": "2",
        "spark.sql.streaming.numRecentProgressUpdates": "2",
    }


def _leave_with_parent() -> None:
    """End this process when standard input is closed: the service holds its other end, so Spark can't outlive it."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
