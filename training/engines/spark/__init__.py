"""The engine that runs on Spark, on a cluster or in a local session."""
