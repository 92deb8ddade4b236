"""Every version that is not in `uv.lock`; a test finds copies of them elsewhere.

They are plain constants, so that the set-up can read them before the environment exists.
"""

PYTHON = "3.11"
"""Python of Databricks Runtime 15.4, and so of everything here."""

PULUMI = "3.274.1"
"""Pulumi CLI: the version that the set-up builds (from `tools/pulumi/go.mod`), and the oldest one used from PATH."""

GO = "1.26.6"
"""Oldest Go that builds the Pulumi CLI, according to its module."""

JAVA = 17
"""Newest Java that Spark 3.5 supports, and the one that runs it."""

SCALA = "2.12"
"""Scala of Databricks Runtime 15.4 and of PySpark's own jars."""

SPARK = "3.5"
"""Spark of Databricks Runtime 15.4; the exact PySpark is in `uv.lock`."""

DATABRICKS_RUNTIME = "15.4"
"""Long-term support release with Python 3.11, Spark 3.5 and Scala 2.12."""

SYNAPSEML = "1.1.3"
"""SynapseML: its jars (`training/jars.json`), its Python package and the cluster's library are of one release."""

GLIBC = "2.28"
"""Oldest C library that the locked wheels support."""

KUBERNETES = "1.35"
"""Kubernetes on AKS: a minor version; Azure installs its newest patch."""
