"""What an image is made of besides its model."""

from pathlib import Path

from tools.paths import ROOT
from training.stages.provenance import code_hash

SERVING_PACKAGES = ("features", "scoring")


def serving_code_hash(root: Path = ROOT) -> str:
    """The code that serves, as 64 hexadecimal digits."""
    return code_hash(SERVING_PACKAGES, root)
