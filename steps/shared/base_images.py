"""The images that the serving image is built on."""

import re
from pathlib import Path

from tools.paths import ROOT

RECIPE = Path("scoring", "Dockerfile")
BASE = re.compile(r"^FROM (\S+@sha256:[0-9a-f]{64})\b", re.MULTILINE)


def base_images(root: Path = ROOT) -> tuple[str, ...]:
    """The references by digest in the `FROM` lines of the Dockerfile in `root`."""
    return tuple(BASE.findall((root / RECIPE).read_text(encoding="utf-8")))
