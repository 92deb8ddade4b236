"""What Spark forks its Python workers from: `spark.python.daemon.module` of a local session.

It imports once what the workers need. Each of them would otherwise do so for itself, which takes seconds of processor
time and as much memory again.
"""

import gc
import sys
from zipimport import zipimporter

from pyspark.daemon import manager
from pyspark.sql.pandas import serializers

from training.engines.reading import sources
from training.engines.spark import source
from training.evaluation import golden, reachable, reference, score
from training.model.unneeded import Unneeded

IMPORTED = (serializers, sources, source, golden, reachable, reference, score)
"""Spark's own part for Arrow, and the modules whose functions and classes run in workers."""


def forget_archives() -> None:
    """Look for modules in no archive any more, but for those of packages that came from one.

    A worker has Python forget before each task what lies where, and for an archive that means to read its directory
    again, once for each of its folders: Spark's own, with its 1,250 files, cost a task a fifth of a processor second.
    """
    sys.path[:] = [place for place in sys.path if not place.endswith(".zip")]
    for place, finder in tuple(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[place]


if __name__ == "__main__":
    forget_archives()
    sys.meta_path.insert(0, Unneeded("pandas"))  # Arrow imports it for the first of its arrays that becomes NumPy's
    gc.freeze()  # a collection in a worker would write to, and so copy, every page of what it shares
    manager()  # type: ignore[no-untyped-call] # PySpark's own
