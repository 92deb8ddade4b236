"""What happens to rows, as pure functions from Arrow record batches to others or to NumPy arrays: no Spark, no I/O."""
