"""Blobs of rows in Parquet files on shared storage, which tasks read directly."""
