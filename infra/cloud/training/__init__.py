"""What trains on Azure: the Databricks workspace, its way to the lake, and the job with its wheel."""
