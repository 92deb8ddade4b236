"""`python -m tools.setup.wheels` fetches what Databricks' clusters install beside the project's wheel.

These are the wheels that `uv.lock` names for what Databricks' runtime lacks, from the addresses in the lock file and
with its checksums, for the clusters' Linux and Python.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomllib

from features.errors import PersonalizationError
from tools.paths import ROOT
from tools.setup.console import exit_status, say
from tools.versions import GLIBC, PYTHON
from training.datasets.download import Checksum, download
from training.runtime import cache_folder
from training.tables.progress import Reporter, silent

SYNAPSEML = "synapseml"
LACKING = (
    "annotated-types",
    "pydantic-core",
    "pydantic",
    "h11",
    "httpcore",
    "httpx",
    "narwhals",
    "lightgbm",
    "tqdm",
    "msgspec",
    "xxhash",
)
"""What Databricks Runtime 15.4 lacks, or has too old, of what `features`, `recommend` and `training` need: each after
those that it needs itself, because a cluster installs one after the other."""
_TAGS = re.compile(rf"-(?:cp{PYTHON.replace('.', '')}-cp\d+|cp3\d+-abi3|py3-none|py2\.py3-none)-([\w.]+)\.whl$")
_LINUX = re.compile(r"manylinux_2_(\d+)_x86_64")


class WheelMissingError(PersonalizationError):
    """A package has no wheel for the clusters."""


@dataclass(frozen=True, kw_only=True)
class LockedWheel:
    """A file of the package index, with its address and its SHA-256 in hexadecimal digits."""

    name: str
    url: str
    sha256: str


def locked_packages(root: Path) -> list[dict[str, Any]]:
    """The packages in `uv.lock` of the project in `root`."""
    return _read((root / "uv.lock").read_text(encoding="utf-8"))


@cache
def _read(text: str) -> list[dict[str, Any]]:
    """A stack's program asks several times, and reading takes a while."""
    packages: list[dict[str, Any]] = tomllib.loads(text)["package"]
    return packages


def locked_wheels(*names: str, root: Path = ROOT) -> tuple[LockedWheel, ...]:
    """The wheels of these packages. Raises `WheelMissingError` if one has none that runs there."""
    packages = {one["name"]: one for one in locked_packages(root)}
    return tuple(_wheel(packages[name]) for name in names)


def ensure_wheels(wheels: Iterable[LockedWheel], report: Reporter = silent) -> Path:
    """The folder with these wheels, of which missing and damaged ones are fetched; raises `DownloadError`."""
    folder = cache_folder() / "wheels"
    for wheel in wheels:
        file = folder / wheel.name
        checksum = Checksum(kind="sha256", value=wheel.sha256)
        if not file.is_file() or checksum.of(file) != checksum.value:
            download(wheel.url, file, report=report, checksum=checksum)
    return folder


def _wheel(package: Mapping[str, Any]) -> LockedWheel:
    """The package's wheel for the clusters, rather with native code than without."""
    fitting = sorted(
        (rank, wheel["url"], wheel["hash"]) for wheel in package.get("wheels", ()) if (rank := _rank(wheel))
    )
    if not fitting:
        raise WheelMissingError(
            f"uv.lock has no wheel of {package['name']} {package['version']} for Linux on x86-64 with Python {PYTHON}, "
            "which Databricks' clusters run. Choose a version that has one, then run `uv lock`."
        )
    _, url, digest = fitting[-1]
    return LockedWheel(name=url.rpartition("/")[2], url=url, sha256=digest.removeprefix("sha256:"))


def _rank(wheel: Mapping[str, Any]) -> int:
    """2 for native code that runs on the clusters, 1 for Python alone, 0 for other platforms."""
    found = _TAGS.search(wheel["url"])
    if found is None:
        return 0
    newest = int(GLIBC.partition(".")[2])
    native = any(
        int(version) <= newest for version in _LINUX.findall(found[1].replace("manylinux2014", "manylinux_2_17"))
    )
    return 2 if native else int(found[1] == "any")


def _fetch() -> None:
    say("Fetching the libraries of Databricks' clusters (18 MB) ...")
    ensure_wheels(locked_wheels(*LACKING, SYNAPSEML))


if __name__ == "__main__":
    sys.exit(exit_status(_fetch))
