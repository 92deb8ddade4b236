"""The wheels that Databricks runs, built according to `pyproject.toml`.

Training's holds `features`, `recommend` and `training` alone, so that a change of other code runs no canary again.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.paths import ROOT

HASH_DIGITS = 16


@dataclass(frozen=True)
class Wheel:
    """A built wheel. Builds are reproducible, so `hash` changes only with the code."""

    name: str
    hash: str
    """Sixteen hexadecimal digits of the content's SHA-256."""
    content: bytes


def build_wheel(*further: str, root: Path = ROOT) -> Wheel:
    """Build training's wheel of the project at `root`, with `further` packages; takes less than a second."""
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - an extra that stack `local` does without

    with tempfile.TemporaryDirectory() as folder:
        builder = WheelBuilder(str(root))
        builder.target_config["packages"] += further
        (built,) = builder.build(directory=folder, versions=["standard"])
        content = Path(built).read_bytes()
        name = Path(built).name
    return Wheel(name, hashlib.sha256(content).hexdigest()[:HASH_DIGITS], content)
