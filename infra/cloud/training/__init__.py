"""Training on Azure: the Databricks workspace, its access to the lake, and the job with its wheel."""
