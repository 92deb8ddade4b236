"""The Python of Databricks Runtime 15.4 LTS from its published package list, and what pip adds for a job.

A cluster installs a job's libraries with pip beside the runtime's packages, and keeps those that satisfy them.
"""

import hashlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from filelock import FileLock

from tools.paths import cache_folder
from tools.setup.console import run_reported
from tools.setup.trust import trusting
from tools.setup.uv import ensure_uv
from tools.versions import PYTHON

PACKAGES = Path(__file__).with_name("packages.txt")
BUILD_SECONDS = 1800
_OUTSIDE: Mapping[str, str] = {name: value for name, value in trusting().items() if name != "PYTHONPATH"}
"""This process's way to the package index, from before a simulation leads it to itself."""
WITHOUT_INDEX = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PIP_NO_CACHE_DIR": "1"}


@dataclass(frozen=True)
class Runtime:
    """An interpreter with exactly the runtime's packages."""

    folder: Path

    @property
    def python(self) -> Path:
        """What a cluster runs."""
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        """The folder of its packages."""
        return self.folder / "lib" / f"python{PYTHON}" / "site-packages"

    def install(self, wheels: Sequence[Path], own: Path) -> Path:
        """The folder, in the cache, with what pip makes of a job's `wheels`; its `own` wheel is left out.

        pip sees the runtime's packages, as on a cluster, and here it asks no index: each wheel must find what it needs.
        Raises `SetupError` with pip's last lines.
        """
        needed = sorted(_requirements(own))
        key = hashlib.sha256("\n".join([self.folder.name, *needed, *(file.name for file in wheels)]).encode())

        def build(aside: Path) -> None:
            _run([str(self.python), "-m", "venv", "--without-pip", str(aside)], "Making a job's environment")
            site = aside / "lib" / f"python{PYTHON}" / "site-packages"
            (site / "runtime.pth").write_text(f"{self.site}\n", encoding="utf-8")
            python = str(aside / "bin" / "python")
            pip = [python, "-m", "pip", "install", "--no-compile", "--no-index", "--disable-pip-version-check"]
            for installed in [*([str(file)] for file in wheels), needed]:
                what = "Installing the libraries of a job into Databricks' Python"
                _run([*pip, *installed], what, WITHOUT_INDEX)
            (site / "runtime.pth").unlink()

        built = _built(self.folder.with_name(f"libraries-{key.hexdigest()[:12]}"), build)
        return built / "lib" / f"python{PYTHON}" / "site-packages"


def runtime() -> Runtime:
    """The runtime's Python from the cache, built at its first use: 1.3 GB, in some three minutes."""
    key = hashlib.sha256(PACKAGES.read_bytes()).hexdigest()[:12]

    def build(aside: Path) -> None:
        uv = str(ensure_uv())
        _run([uv, "venv", "--quiet", "--seed", "--python", PYTHON, str(aside)], "Making the Python of Databricks")
        pip = [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(aside / "bin" / "python")]
        _run([*pip, "-r", str(PACKAGES)], "Installing the packages of Databricks' runtime (some minutes, this once)")

    return Runtime(_built(cache_folder() / "databricks-runtime" / key, build))


def _requirements(wheel: Path) -> Iterator[str]:
    """A wheel's requirements without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        described = Parser().parsestr(archive.read(name).decode())
    yield from (line for line in described.get_all("Requires-Dist", []) if "extra ==" not in line)


def _built(target: Path, build: Callable[[Path], None]) -> Path:
    """Build `target` as a whole; others who need it wait."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{target.name}.lock")):
        if not target.exists():
            aside = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent)) / target.name
            try:
                build(aside)
                aside.rename(target)
            finally:
                shutil.rmtree(aside.parent, ignore_errors=True)
    return target


def _run(command: Sequence[str], doing: str, environment: Mapping[str, str] = _OUTSIDE) -> None:
    run_reported(command, doing, folder=Path("/"), environment=environment, timeout_seconds=BUILD_SECONDS)


if __name__ == "__main__":
    sys.stdout.write(f"{runtime().folder}\n")
