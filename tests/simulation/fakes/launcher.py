"""Starts a wheel's entry point as a Databricks cluster does. `python -m tests.simulation.fakes.launcher SPEC`."""

import importlib
import importlib.metadata
import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulation.fakes.lake import Lake


def main() -> int:
    """Run the task that the file SPEC describes."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    lake = Lake(Path(spec["lake"]), spec["token"])
    lake.fetch(spec["arguments"])
    for variable in spec["secret_variables"]:
        os.environ.pop(variable, None)
    _bring_utilities(lake)
    _bring_mount(Path(spec["mount"]))
    sys.argv = [spec["entry_point"], *(lake.local(argument) for argument in spec["arguments"])]
    outcome = _entry_point(spec["package"], spec["entry_point"])()
    if isinstance(outcome, int) and outcome != 0:
        return outcome
    lake.send()
    return 0


def _entry_point(package: str, name: str) -> Callable[[], object]:
    """As the runtime looks it up: an entry point of the package's metadata, else a function of its module."""
    try:
        found = importlib.metadata.distribution(package).entry_points.select(name=name)
    except importlib.metadata.PackageNotFoundError:
        found = importlib.metadata.EntryPoints()
    for entry in found:
        loaded: Callable[[], object] = entry.load()
        return loaded
    function: Callable[[], object] = getattr(importlib.import_module(package), name)
    return function


def _bring_utilities(lake: Lake) -> None:
    """`pyspark.dbutils`, which only the runtime has, with the file functions that jobs use."""

    class Files:
        """`dbutils.fs`."""

        def cp(self, source: str, target: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002, ARG002 - its signature
            """Copy a file or a folder."""
            lake.copy(source, target)
            return True

    class Utilities:
        """`dbutils`."""

        def __init__(self, _: object = None) -> None:
            self.fs = Files()

    module = types.ModuleType("pyspark.dbutils")
    vars(module)["DBUtils"] = Utilities
    sys.modules["pyspark.dbutils"] = module


def _bring_mount(folder: Path) -> None:
    """What the runtime has at `/dbfs`, where this machine has nothing."""
    from training import databricks  # noqa: PLC0415 - the wheel's, which the run brings

    (folder / "tmp").mkdir(parents=True)
    databricks.SHARED = folder / "tmp"


if __name__ == "__main__":
    raise SystemExit(main())
