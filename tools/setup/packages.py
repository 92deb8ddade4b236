"""Installs the locked Python packages into `.venv`.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import subprocess
from pathlib import Path

from tools.paths import ROOT
from tools.setup.console import SetupError, say
from tools.setup.trust import trusting
from tools.versions import JAVA, PYTHON
from training.runtime import system_java_homes

EXTRAS = ("local", "scoring", "infra")
AZURE_EXTRA = "azure"
JAVA_EXTRA = "java"


def ensure_packages(uv: Path) -> bool:
    """Install what `.venv` lacks; returns whether anything was missing. Raises `SetupError`, after uv's own output."""
    return _ensure(uv, "the locked Python packages (some 700 MB the first time)")


def ensure_azure_packages(uv: Path, *groups: str) -> None:
    """Install the additional packages for stacks on Azure, and the given dependency groups, as `ensure_packages`."""
    further = [part for group in groups for part in ("--group", group)]
    _ensure(uv, "the packages for Azure (some 300 MB the first time)", "--extra", AZURE_EXTRA, *further)


def ensure_java(uv: Path) -> None:
    """Install a Java from a Python package if the machine has no Java 17; raises `SetupError`."""
    if not system_java_homes():
        _ensure(uv, f"Java {JAVA}, which this machine does not have, as a Python package", "--extra", JAVA_EXTRA)


def packages_in_sync(uv: Path, *options: str) -> bool:
    """Whether `.venv` has the locked packages."""
    return _sync(uv, *options, "--check", "--quiet").returncode == 0


def _ensure(uv: Path, what: str, *options: str) -> bool:
    if packages_in_sync(uv, *options):
        return False
    say(f"Installing {what} into .venv ...")
    if _sync(uv, *options).returncode != 0:
        raise SetupError(
            f"uv cannot install {what} (its output is above); it needs the package index and Python {PYTHON}, which it "
            "downloads if the machine has none"
        )
    return True


def _sync(uv: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    environment = dict(trusting(), UV_PROJECT_ENVIRONMENT=str(ROOT / ".venv"))
    environment.pop("VIRTUAL_ENV", None)
    # --inexact: keep packages that were added, such as the extra `azure`.
    command = [str(uv), "sync", "--frozen", "--inexact", "--python", PYTHON, *options]
    for extra in EXTRAS:
        command += ["--extra", extra]
    stderr = subprocess.DEVNULL if "--quiet" in options else None
    return subprocess.run(command, cwd=str(ROOT), env=environment, check=False, stderr=stderr)  # noqa: S603 - the uv found
