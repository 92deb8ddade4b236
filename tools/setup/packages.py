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
    if packages_in_sync(uv):
        return False
    say("Installing the locked Python packages into .venv (some 700 MB the first time) ...")
    if _sync(uv).returncode != 0:
        raise SetupError(
            "uv cannot install the packages (its output is above); it needs the package index and "
            f"Python {PYTHON}, which it downloads if the machine has none"
        )
    return True


def ensure_azure_packages(uv: Path, *groups: str) -> None:
    """Install the additional packages for stacks on Azure, 300 MB, and the given dependency groups.

    Raises `SetupError`, after uv's own output.
    """
    wanted = ["--extra", AZURE_EXTRA, *(part for group in groups for part in ("--group", group))]
    if _sync(uv, *wanted, "--check", "--quiet").returncode == 0:
        return
    say("Installing the packages for Azure into .venv (some 300 MB the first time) ...")
    if _sync(uv, *wanted).returncode != 0:
        raise SetupError("uv cannot install the packages for Azure (its output is above)")


def packages_in_sync(uv: Path) -> bool:
    """Whether `.venv` has the locked packages."""
    return _sync(uv, "--check", "--quiet").returncode == 0


def ensure_java(uv: Path) -> None:
    """Install a Java from a Python package if the machine has no Java 17; raises `SetupError`."""
    if system_java_homes() or _sync(uv, "--extra", JAVA_EXTRA, "--check", "--quiet").returncode == 0:
        return
    say(f"This machine has no Java {JAVA}; installing the one that comes as a Python package.")
    if _sync(uv, "--extra", JAVA_EXTRA).returncode != 0:
        raise SetupError("uv cannot install Java's package (its output is above)")


def _sync(uv: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    environment = dict(trusting(), UV_PROJECT_ENVIRONMENT=str(ROOT / ".venv"))
    environment.pop("VIRTUAL_ENV", None)
    # --inexact: keep packages that were added, such as the extra `azure`.
    command = [str(uv), "sync", "--frozen", "--inexact", "--python", PYTHON, *options]
    for extra in EXTRAS:
        command += ["--extra", extra]
    stderr = subprocess.DEVNULL if "--quiet" in options else None
    return subprocess.run(command, cwd=str(ROOT), env=environment, check=False, stderr=stderr)  # noqa: S603 - the uv found
