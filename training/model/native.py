"""LightGBM without what it imports for others: its wrappers for scikit-learn and pandas take seconds of each process.

Nobody here uses them. A library that this process has imported already is left to LightGBM as it is.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WRAPPED = ("dask", "matplotlib", "pandas", "sklearn")


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """The block in which libraries that are not imported yet cannot be."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None is how Python marks what has no module
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# Read when LightGBM is loaded, here or in Spark's Java. Threads that wait for each other by spinning take the core that
# the others need: beside a busy process, a fit took 33 s instead of 6 on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

with _without(WRAPPED):
    import lightgbm

__all__ = ["lightgbm"]
