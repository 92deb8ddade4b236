"""The locked versions of libraries. They are inputs of steps: an upgrade that may change results runs a step again."""

from collections.abc import Iterable
from pathlib import Path

from tools.locked import locked_packages
from tools.paths import ROOT

TRAINING_LIBRARIES = (
    "lightgbm",
    "numpy",
    "pandas",
    "pyarrow",
    "pyspark",
    "synapseml",
    "scikit-learn",
    "scipy",
    "xxhash",
)
SERVING_LIBRARIES = (
    "httptools",
    "lightgbm",
    "msgspec",
    "numpy",
    "pyspark",
    "synapseml",
    "uvloop",
    "xxhash",
)


def locked_versions(libraries: Iterable[str], root: Path = ROOT) -> dict[str, str]:
    """The version of each library in `uv.lock`."""
    locked = {package["name"]: package["version"] for package in locked_packages(root) if "version" in package}
    return {library: locked[library] for library in libraries}
