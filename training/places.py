"""Spark's names of files and folders on this machine, or on a file system that every machine of a cluster sees.

Spark takes a name as it is, not encoded as a URI's, and where it reads, it takes some characters for patterns.
"""

import re
from pathlib import Path

_PATTERN = re.compile(r"([\\*?\[\]{}])")


def to_write(path: Path) -> str:
    """The name by which Spark writes `path`."""
    return f"file://{path.absolute()}"


def to_read(path: Path) -> str:
    """The name by which Spark reads `path`, and nothing else."""
    return "file://" + _PATTERN.sub(r"\\\1", str(path.absolute()))
