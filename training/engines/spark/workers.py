"""What Spark forks its Python workers from: `spark.python.daemon.module` of a local session.

It imports once what the workers need. Each of them would otherwise do so for itself, which takes seconds of processor
time and as much memory again.
"""

import gc
import sys

from pyspark.daemon import manager
from pyspark.sql.pandas import serializers

from training.engines.reading import sources
from training.engines.spark import source
from training.evaluation import golden, reachable, reference, score
from training.model.unneeded import Unneeded

IMPORTED = (serializers, sources, source, golden, reachable, reference, score)
"""Spark's own part for Arrow, and the modules whose functions and classes run in workers."""

if __name__ == "__main__":
    sys.meta_path.insert(0, Unneeded("pandas"))  # Arrow imports it for the first of its arrays that becomes NumPy's
    gc.freeze()  # a collection in a worker would write to, and so copy, every page of what it shares
    manager()  # type: ignore[no-untyped-call] # PySpark's own
