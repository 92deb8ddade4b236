"""`python -m tests.support.spark_overfilled MASTER FOLDER`: makes engine Spark build a text that exceeds a heap of 1
GiB.

No user's rows do that within a test's time: long values bypass Java, and values that pass through Java are short.
"""

import sys
from pathlib import Path

from features.errors import PersonalizationError
from training.parameters import TrainingParameters
from training.progress import Progress
from training.spark.engine import spark_engine
from training.streams import LOG, output_to


def main(master: str, folder: Path) -> int:
    """Print the engine's sentence about it."""
    parameters = TrainingParameters(driver_memory_gib=1)
    log = folder / LOG
    try:
        with (
            output_to(log) as terminal,
            spark_engine(parameters, log=log, progress=Progress(terminal), data_size=0, master=master) as engine,
        ):
            # It depends on a row: Spark would otherwise build it while planning.
            engine.session.range(2).selectExpr("repeat(string(id), 2000000000) AS text").orderBy("text").collect()
    except PersonalizationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
