"""Where this process runs."""

import os


def on_databricks() -> bool:
    """Whether this process runs on a Databricks cluster, which brings Spark, SynapseML and its own log."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ
