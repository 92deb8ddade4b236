"""LightGBM without what it imports for others: its wrappers for scikit-learn and pandas take seconds of each process.

Nobody here uses them. A library that this process has imported already is left to LightGBM as it is.
"""

import os

from training.model.unneeded import without

# Read when LightGBM is loaded, here or in Spark's Java. Threads that wait for each other by spinning take the core that
# the others need: beside a busy process, a fit took 33 s instead of 6 on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

with without("dask", "matplotlib", "pandas", "sklearn"):
    import lightgbm

__all__ = ["lightgbm"]
