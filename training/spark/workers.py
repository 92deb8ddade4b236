"""The daemon that Spark forks its Python workers from: `spark.python.daemon.module` of a local session.

It imports what the workers need once. Otherwise each of them would, at seconds of processor time and a copy in memory.
"""

import gc
import sys
from zipimport import zipimporter

from pyspark.daemon import manager
from pyspark.sql.pandas import serializers

from training.evaluation import golden, measure, reachable, reference
from training.kernels import encode
from training.model.unneeded import Unneeded
from training.spark import counted, scans, tables

IMPORTED = (serializers, counted, scans, tables, encode, golden, measure, reachable, reference)
"""Spark's Arrow serializers, and the modules whose functions and classes run in workers."""


def forget_archives() -> None:
    """Remove Spark's zip archives from the import path; their packages are imported already.

    PySpark clears the import caches before each task, and Python then reads the archives' directories again. Without
    this, a run over 100,000 rows takes 35 instead of 32 processor seconds.
    """
    sys.path[:] = [place for place in sys.path if not place.endswith(".zip")]
    for place, finder in tuple(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[place]


if __name__ == "__main__":
    forget_archives()
    sys.meta_path.insert(0, Unneeded("pandas"))  # Arrow would import it with its first conversion to NumPy
    gc.freeze()  # otherwise a collection in a worker would copy every shared page
    manager()  # type: ignore[no-untyped-call] # PySpark's own
