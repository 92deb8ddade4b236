"""Blobs of rows in Parquet files that every machine of a cluster sees, and the tasks that read them by themselves."""
