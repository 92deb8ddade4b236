"""LightGBM's own distributed learning: one process for each machine, which takes blobs of rows."""
