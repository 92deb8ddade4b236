"""What Spark forks its Python workers from: `spark.python.daemon.module` of a local session.

It imports once what the workers need. Each of them would otherwise do so for itself, which takes seconds of processor
time and as much memory again.
"""

import gc

from pyspark.daemon import manager
from pyspark.sql.pandas import serializers

from training.engines.reading import sources
from training.engines.spark import source
from training.evaluation import golden, reachable, reference, score

IMPORTED = (serializers, sources, source, golden, reachable, reference, score)
"""Spark's own part for Arrow, and the modules whose functions and classes run in workers."""

if __name__ == "__main__":
    gc.freeze()  # a collection in a worker would write to, and so copy, every page of what it shares
    manager()  # type: ignore[no-untyped-call] # PySpark's own
