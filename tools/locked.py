"""The packages that `uv.lock` names. A stack's program asks for them several times, and reading them takes a while."""

from functools import cache
from pathlib import Path
from typing import Any

import tomllib


def locked_packages(root: Path) -> list[dict[str, Any]]:
    """The packages in `uv.lock` of the project in `root`."""
    return _read((root / "uv.lock").read_text(encoding="utf-8"))


@cache
def _read(text: str) -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads(text)["package"]
    return packages
