"""`python tests/support/spark_run.py MASTER OPTION...`: a training run on another Spark master than a user's.

With `local-cluster[2,1,1536]` the executors are processes of their own, as on a real cluster.
"""

import sys
from pathlib import Path

from training import log
from training.arguments import parse
from training.datasets import describe
from training.failure import explain
from training.pipeline import Pipeline
from training.progress import Progress
from training.session import spark_session
from training.streams import output_to


def main(master: str, *options: str) -> int:
    """Train on `master`, and print the result as `python -m training` does."""
    arguments = parse(options)
    output = arguments.output or Path("run")
    output.mkdir(parents=True, exist_ok=True)
    try:
        with output_to(output / log.NAME) as terminal:
            spark = spark_session(arguments.training, log=output / log.NAME, master=master)
            progress = Progress(terminal, style=arguments.progress)
            pipeline = Pipeline(
                spark,
                arguments,
                describe(arguments.dataset),
                output=output,
                log=output / log.NAME,
                progress=progress,
            )
            result = pipeline.run()
            spark.stop()
    except Exception as error:  # noqa: BLE001 - as `python -m training` does
        sys.stderr.write(f"error: {explain(error, log=output / log.NAME)}\n")
        return 1
    sys.stdout.write(result.to_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
