"""`launcher.py SPEC`: starts a wheel's entry point as a Databricks cluster does, in the runtime's own Python.

It runs without the checkout and its packages, so it uses the standard library alone.
"""

import importlib.metadata
import json
import re
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

URL = re.compile(r"abfss://([a-z0-9-]+)@([a-z0-9]+)\.dfs\.core\.windows\.net(/[^\s\"']*)?")


VOLUME = re.compile(r"/Volumes/(\w+)/(\w+)/(\w+)")


class Places:
    """The folders of this machine behind `abfss://` addresses and volumes."""

    def __init__(self, folder: Path) -> None:
        """Each container of each account is a folder in `folder`, which all machines of a cluster share."""
        self._folder = folder

    def path(self, account: str, container: str, path: str) -> Path:
        """The folder or file behind an address."""
        return self._folder / account / container / path.strip("/")

    def local(self, text: str) -> str:
        """`text` with every address replaced by a path of this machine."""
        there = URL.sub(lambda found: str(self.path(found[2], found[1], found[3] or "/")), text)
        return VOLUME.sub(lambda found: str(self._folder / "volumes" / ".".join(found.groups())), there)

    def copy(self, source: str, target: str) -> None:
        """`dbutils.fs.cp`, for a file or a folder."""
        start, end = (Path(self.local(text).removeprefix("file:")) for text in (source, target))
        end.parent.mkdir(parents=True, exist_ok=True)
        if start.is_dir():
            shutil.copytree(start, end, dirs_exist_ok=True)
        else:
            shutil.copyfile(start, end)


def main() -> int:
    """Run the task that the file SPEC describes."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    places = Places(Path(spec["lake"]))
    _import_first(spec["imported"])
    _bring_utilities(places)
    arguments = spec["arguments"]
    if any(URL.search(argument) for argument in arguments):  # a job that copies what it needs
        arguments = [places.local(argument) for argument in arguments]
    sys.argv = [spec["entry_point"], *arguments]
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


def _bring_utilities(places: Places) -> None:
    """`pyspark.dbutils`, which only the runtime has, with the file functions that jobs use."""

    class Files:
        """`dbutils.fs`."""

        def cp(self, source: str, target: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002, ARG002 - its signature
            """Copy a file or a folder."""
            places.copy(source, target)
            return True

    class Utilities:
        """`dbutils`."""

        def __init__(self, _: object = None) -> None:
            self.fs = Files()

    module = types.ModuleType("pyspark.dbutils")
    vars(module)["DBUtils"] = Utilities
    sys.modules["pyspark.dbutils"] = module


if __name__ == "__main__":
    raise SystemExit(main())
