"""LightGBM's own distributed learning, with one process per machine."""
