"""The Python of a Databricks cluster with its packages, and how it starts a job's task."""
