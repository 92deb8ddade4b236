"""The Python of a Databricks cluster, with its own packages, and how a job's task is started in it."""
