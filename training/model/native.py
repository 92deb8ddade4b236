"""LightGBM, imported without its optional libraries: the import takes 0.5 instead of 3.5 processor seconds.

Its wrappers for scikit-learn, pandas and others are not used here. Libraries that are imported already stay visible.
"""

import os

from training.model.unneeded import without

# Read when LightGBM is loaded, here or in Spark's Java. Spinning threads would occupy cores that others need: beside a
# busy process, a fit took 33 s instead of 6 on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

with without("dask", "matplotlib", "pandas", "sklearn"):
    import lightgbm

__all__ = ["lightgbm"]
