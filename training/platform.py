"""Where this process runs, and whose libraries it finds first there."""

import os
import sys
from pathlib import Path

REPLACED = ("pydantic", "pydantic_core")
"""What Databricks' runtime has in a version with which this package does not work, and may have imported before it."""


def on_databricks() -> bool:
    """Whether this process runs on a Databricks cluster, which brings Spark, SynapseML and its own log."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def prefer_job_libraries(folder: Path) -> None:
    """Let what was installed with the job, into `folder`, win over what the runtime brings.

    Databricks documents that order ("Python library precedence": cluster libraries before the runtime's), but clusters
    have been seen on which the runtime's copies won (dbt-labs/dbt-core#7828). Processes of Spark's workers come here
    as well, since unpickling a kernel imports this package.
    """
    sys.path.insert(0, str(folder))
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in REPLACED and file is not None and not Path(file).is_relative_to(folder):
            del sys.modules[name]
