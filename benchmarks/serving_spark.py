"""Spark Serving by itself, as its documentation has it: no front, one record a request.

`server` is the source of micro-batches, `continuousServer` the one that answers requests as they come.
"""

import argparse
from enum import StrEnum
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from synapse.ml.io.IOImplicits import continuous_serving_source, serving_sink, serving_source

from scoring.engines.spark_query import API, replies, requests, session, start_continuous


class Source(StrEnum):
    """The streaming sources of SynapseML, by the names of their methods in Python."""

    SERVER = "server"
    CONTINUOUS = "continuousServer"


def main() -> None:
    """Answer until the query ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_spark")
    parser.add_argument("--source", type=Source, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    continuous = arguments.source is Source.CONTINUOUS
    source = continuous_serving_source if continuous else serving_source
    stream = requests(session(arguments.folder), source, arguments.port)
    answers = replies(stream, arguments.model, arguments.features, slots=1)
    checkpoint = arguments.folder / "checkpoint"
    query = start_continuous(answers, checkpoint) if continuous else _start_batches(answers, checkpoint)
    query.awaitTermination()


def _start_batches(answers: DataFrame, checkpoint: Path) -> StreamingQuery:
    return (
        answers.writeStream.format(serving_sink)
        .option("name", API)
        .option("checkpointLocation", str(checkpoint))
        .queryName(API)
        .start()
    )


if __name__ == "__main__":
    main()
