"""`launcher.py SPEC`: starts a wheel's entry point as a Databricks cluster does, in the runtime's own Python.

It runs without the checkout and its packages, so it uses the standard library alone.
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> int:
    """Run the task that the file SPEC describes."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    _import_first(spec["imported"])
    sys.argv = [spec["entry_point"], *spec["arguments"]]
    try:
        outcome = _entry_point(spec["package"], spec["entry_point"])()
    except Exception as error:
        Path(spec["error"]).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise
    return outcome if isinstance(outcome, int) else 0


def _import_first(names: list[str]) -> None:
    """Import what the runtime has imported before a task begins."""
    for name in names:
        importlib.import_module(name)


def _entry_point(package: str, name: str) -> Callable[[], object]:
    """Find the entry point as the runtime does: in the package's metadata, else as a function of its module."""
    try:
        found = importlib.metadata.distribution(package).entry_points.select(name=name)
    except importlib.metadata.PackageNotFoundError:
        found = importlib.metadata.EntryPoints()
    for entry in found:
        loaded: Callable[[], object] = entry.load()
        return loaded
    function: Callable[[], object] = getattr(importlib.import_module(package), name)
    return function


if __name__ == "__main__":
    raise SystemExit(main())
