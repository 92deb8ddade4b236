"""The engine that runs on Spark, on a cluster or in a local session: begin with `engine`.

`files` and `tables` read, join and hash tables, `rows` selects and encodes their rows, `counted` counts categories, and
`synapse` fits.
"""

ALL_CORES = "local[*]"
"""Spark in one process, with one task slot per core."""
