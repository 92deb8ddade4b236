"""Spark Serving by itself, as its documentation has it: no front, one record a request.

`server` is the source of micro-batches, `continuousServer` the one that answers requests as they come.
"""

from enum import StrEnum

from synapse.ml.io.IOImplicits import (
    continuous_serving_sink,
    continuous_serving_source,
    serving_sink,
    serving_source,
)

from scoring.engines.spark_query import begin, parser, replies, requests, session


class Source(StrEnum):
    """The streaming sources of SynapseML, by the names of their methods in Python."""

    SERVER = "server"
    CONTINUOUS = "continuousServer"


ENDS = {
    Source.SERVER: (serving_source, serving_sink),
    Source.CONTINUOUS: (continuous_serving_source, continuous_serving_sink),
}
"""Where each takes its requests from, and where its replies go."""


def main() -> None:
    """Answer until the query ends."""
    options = parser("benchmarks.serving.spark")
    options.add_argument("--source", type=Source, required=True)
    arguments = options.parse_args()
    source, sink = ENDS[arguments.source]
    stream = requests(session(arguments.folder), source, arguments.port)
    answers = replies(stream, arguments.model, arguments.features, slots=1)
    continuous = arguments.source is Source.CONTINUOUS
    begin(answers, sink, arguments.folder / "checkpoint", continuous=continuous).awaitTermination()


if __name__ == "__main__":
    main()
