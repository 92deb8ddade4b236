"""`python -m tests.support.spark_run MASTER OPTION...`: `python -m training` on a given Spark master.

With `local-cluster[2,1,1536]` the executors are separate processes, as on a real cluster.
"""

import sys

from features.errors import PersonalizationError
from training.arguments import parse
from training.datasets import describe
from training.run import train


def main(master: str, *options: str) -> int:
    """Train on `master`, and print the result or the error's sentence."""
    arguments = parse(options)
    try:
        result = train(arguments, describe(arguments.dataset), master=master)
    except PersonalizationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(result.to_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
