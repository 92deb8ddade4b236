"""`python -m tools.setup.spark`: what Spark needs to run on this machine, Java and SynapseML's jars.

Engine `spark` of training and engine `spark-serving` of scoring need it; without them nobody does.
"""

import sys

from features.errors import PersonalizationError
from tools.setup.console import say
from tools.setup.jars import ensure_jars
from tools.setup.packages import ensure_java
from tools.setup.uv import ensure_uv

INTERRUPTED = 130


def main() -> int:
    """Prepare what is missing and return the exit status."""
    try:
        ensure_java(ensure_uv())
        ensure_jars()
    except PersonalizationError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
