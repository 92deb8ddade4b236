"""The process behind engine `spark-serving`: a Spark of one core whose streaming query answers on a port of loopback.

Measured of SynapseML's Spark Serving, and the reason for what is set here: with two partitions its continuous source
dies at two connections, with a trigger of more than a second it keeps every request of an epoch in memory, and without
`nodelay` Java's HTTP server waits 40 milliseconds for an acknowledgement before it sends. A row of the stream is one
request, so several records of one request are as many columns, each with the model applied.
"""

import argparse
import os
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path

from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import ArrayType, DoubleType, StructField, StructType

API = "score"
SLOTS = 8
"""Records of one request at most, as in `spark_serving`."""

JARS_VARIABLE = "PERSONALIZATION_JARS"
WATCH_SECONDS = 0.25
HEAP = "1g"


def main() -> None:
    """Answer until standard input ends, which it does with the service; a query that dies is started again."""
    parser = argparse.ArgumentParser(prog="python -m scoring.engines.spark_query")
    parser.add_argument("--model", required=True)
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for checkpoints and whatever else Spark writes")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this process when it is done
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    spark = _session(arguments.folder)
    answers = answering(spark, Path(arguments.model), arguments.features, arguments.port)
    for start in count():
        query = _start(answers, str(arguments.folder / str(start)))
        while query.isActive:
            time.sleep(WATCH_SECONDS)
        sys.stderr.write(f"the streaming query ended: {_reason(query)}\n")


def answering(spark: SparkSession, model: Path, features: int, port: int) -> DataFrame:
    """The stream of requests `{"rows": [[...], ...]}` with each one's reply, a JSON list of `SLOTS` probabilities."""
    from synapse.ml.io.IOImplicits import continuous_serving_source  # noqa: PLC0415 - patches PySpark, for this alone
    from synapse.ml.lightgbm import LightGBMClassificationModel  # noqa: PLC0415 - the same

    loaded = LightGBMClassificationModel.loadNativeModelFromString(model.read_text(encoding="utf-8"))
    loaded = loaded.setRawPredictionCol("").setPredictionCol("")
    body = StructType([StructField("rows", ArrayType(ArrayType(DoubleType())))])
    stream: DataFrame = (
        spark.readStream.format(continuous_serving_source)
        .option("host", "127.0.0.1")
        .option("port", port)
        .option("path", API)
        .option("name", API)
        .load()
        .parseRequest(API, body)  # type: ignore[operator] # SynapseML adds it
    )
    nothing = sql.array_repeat(sql.lit(0.0), features)
    slots = [sql.get(sql.col("rows"), slot) for slot in range(SLOTS)]
    rows = [sql.transform(row, lambda value: sql.coalesce(value, sql.lit(float("nan")))) for row in slots]
    vectors = [array_to_vector(sql.coalesce(row, nothing)).alias(f"features{slot}") for slot, row in enumerate(rows)]
    stream = stream.select("id", *vectors)
    for slot in range(SLOTS):
        loaded = loaded.setFeaturesCol(f"features{slot}").setProbabilityCol(f"probability{slot}")
        stream = loaded.transform(stream)
    reply = sql.to_json(sql.array(*(_click(f"probability{slot}") for slot in range(SLOTS))))
    replies: DataFrame = stream.withColumn("answer", reply).makeReply("answer")  # type: ignore[operator] # the same
    return replies


def _click(probability: str) -> Column:
    return sql.get(vector_to_array(sql.col(probability)), 1)


def _start(answers: DataFrame, checkpoint: str) -> StreamingQuery:
    from synapse.ml.io.IOImplicits import continuous_serving_sink  # noqa: PLC0415 - see `answering`

    return (
        answers.writeStream.format(continuous_serving_sink)
        .trigger(continuous="1 second")
        .option("name", API)
        .option("checkpointLocation", checkpoint)
        .queryName(API)
        .start()
    )


def _reason(query: StreamingQuery) -> str:
    """The first cause, of the hundreds of lines that Spark has to say."""
    lines = str(query.exception()).splitlines()
    return next((line for line in reversed(lines) if line.startswith("Caused by:")), lines[0])


def _session(folder: Path) -> SparkSession:
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[1]").appName("scoring")
    for name, value in _configuration(folder).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("FATAL")  # what ends the query is written by `main`
    return spark


def _configuration(folder: Path) -> dict[str, str]:
    jars = sorted(Path(os.environ[JARS_VARIABLE]).glob("*.jar"))
    java = f"-Dsun.net.httpserver.nodelay=true -XX:+ExitOnOutOfMemoryError -Djava.io.tmpdir={folder}"
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
    """The service holds the other end of standard input, so that this process never outlives it."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
