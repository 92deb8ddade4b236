"""The libraries of a job's task, installed before it as on a cluster: from volumes, without an index.

Their errors are worded as users have published them, in many threads.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.fakes.runs import LibraryError
from tests.simulation.fakes.volumes import Volumes
from tests.simulation.runtime.environment import Libraries, Runtime
from tools.setup.console import SetupError

FAILED = (
    "Library installation failed for library due to user error for {library}\n Error messages:\n"
    "Library installation attempted on the driver node of cluster 1128-110000-simulated and failed. Please refer to "
    "the following error message to fix the library or contact Databricks support. Error Code: "
    "DRIVER_LIBRARY_INSTALLATION_FAILURE. Error Message: {reason}"
)


class Installation:
    """Installs the libraries of one run into its folder."""

    def __init__(self, runtime: Runtime, volumes: Volumes, folder: Path) -> None:
        """Nothing is installed yet."""
        self._runtime = runtime
        self._volumes = volumes
        self._folder = folder
        self.jars: list[Path] = []
        """Java's."""

    def install(self, libraries: Sequence[Mapping[str, Any]], site: Path) -> None:
        """Install them all, Python's into `site`; raises `LibraryError`."""
        for library in libraries:
            if path := library.get("requirements"):
                self._requirements(path, site)
            else:
                self.jars.append(self._copied(library["jar"], "jar"))

    def _copied(self, path: str, kind: str) -> Path:
        """A file of a volume, copied to the machine's own disk as Databricks does."""
        source, target = self._volumes.local(path), self._folder / "libraries" / path.rpartition("/")[2]
        if not source.is_file():
            reason = "FileNotFoundException" if self._volumes.reads(path) else "PERMISSION_DENIED: no READ VOLUME"
            raise LibraryError(FAILED.format(library=f'{kind}: "{path}"', reason=f"{reason}: {path}"))
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
        return target

    def _requirements(self, path: str, site: Path) -> None:
        lines = self._copied(path, "requirements").read_text(encoding="utf-8").split("\n")
        given = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        options = [line for line in given if line.startswith("-")]
        libraries = Libraries(
            wheels=[self._copied(line, "whl") for line in given if line.endswith(".whl")],
            lines=[line for line in given if not line.endswith(".whl") and line not in options],
            options=options,
            found=list(self._found(options)),
            environment=_without_index() | self._volumes.environment(),
        )
        try:
            self._runtime.install(libraries, site)
        except SetupError as error:
            reason = (
                f"org.apache.spark.SparkException: Process List(pip, install, -r, {path}) exited with code 1. {error}"
            )
            raise LibraryError(FAILED.format(library=f'requirements: "{path}"', reason=reason)) from error

    def _found(self, options: Sequence[str]) -> Iterator[str]:
        for option in options:
            name, _, place = option.partition(" ")
            if name == "--find-links":
                yield from sorted(file.name for file in self._volumes.local(place).glob("*"))


def _without_index() -> dict[str, str]:
    """An environment in which pip can't ask an index."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}
