"""Whether this process runs on Databricks, which libraries it imports there, and where its machine has room."""

import os
import sys
import tempfile
from pathlib import Path

REPLACED = ("pydantic", "pydantic_core")
"""Packages that Databricks' runtime has in versions that this project can't use, and may already have imported."""


def on_databricks() -> bool:
    """Whether this process runs on a Databricks cluster, which has its own Spark, SynapseML and log."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def own_disk() -> Path:
    """A folder on this machine's own disk, with room for files.

    Spark names the disks of a cluster's machine to its workers in `SPARK_LOCAL_DIRS`, and Databricks mounts the largest
    at `/local_disk0`; neither is promised.
    """
    named = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    places = [Path(place) for place in (named, "/local_disk0") if place]
    return next((place for place in places if place.is_dir()), Path(tempfile.gettempdir()))


def prefer_job_libraries(folder: Path) -> None:
    """Import the job's libraries, installed into `folder`, before the runtime's.

    Databricks documents this order ("Python library precedence": cluster libraries before the runtime's), but on some
    clusters the runtime's copies came first (dbt-labs/dbt-core#7828). Spark's worker processes call this too, because
    unpickling a kernel imports this package.
    """
    sys.path.insert(0, str(folder))
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in REPLACED and file is not None and not Path(file).is_relative_to(folder):
            del sys.modules[name]
