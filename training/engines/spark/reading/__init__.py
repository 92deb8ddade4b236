"""The rows of a dataset on Spark."""
