"""The wheel that Databricks runs, built according to `pyproject.toml`.

It holds only `features`, `recommend` and `training`, so that a change of other code does not change it.
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


def build_wheel(root: Path = ROOT) -> Wheel:
    """Build the wheel of the project at `root`; takes less than a second."""
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - an extra that stack `local` does without

    with tempfile.TemporaryDirectory() as folder:
        (built,) = WheelBuilder(str(root)).build(directory=folder, versions=["standard"])
        content = Path(built).read_bytes()
        name = Path(built).name
    return Wheel(name, hashlib.sha256(content).hexdigest()[:HASH_DIGITS], content)
