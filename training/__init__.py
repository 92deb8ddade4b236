"""From rows to a verified model bundle, on Spark. `python -m training` is the Databricks job and the local run."""
