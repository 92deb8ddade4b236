"""`python -m tools.setup.spark`: what Spark needs to run on this machine, Java and SynapseML's jars.

Engine `spark` of training and engine `spark-serving` of scoring need it; without them nobody does.
"""

import sys

from tools.setup.console import exit_status
from tools.setup.jars import ensure_jars
from tools.setup.packages import ensure_java
from tools.setup.uv import ensure_uv


def ensure_spark() -> None:
    """Prepare what is missing; raises `SetupError`."""
    ensure_java(ensure_uv())
    ensure_jars()


if __name__ == "__main__":
    sys.exit(exit_status(ensure_spark))
