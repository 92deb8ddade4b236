"""The engine that runs on Spark: on a cluster, or on this machine's own."""
