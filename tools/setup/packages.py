"""Installs the locked Python packages into `.venv`.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.paths import ROOT
from tools.setup.console import SetupError, say
from tools.setup.trust import trusting
from tools.versions import JAVA, PYTHON
from training.runtime import system_java_homes

TRY = ("cli",)
STACK = ("cli", "local", "scoring", "infra")
"""The extras of `make try` and of `make up`."""


def ensure_packages(uv: Path, extras: Sequence[str] = STACK) -> bool:
    """Install what `.venv` lacks; returns whether anything was missing. Raises `SetupError`, after uv's own output."""
    return _ensure(uv, "the locked Python packages", *_extras(extras))


def ensure_azure_packages(uv: Path, *groups: str) -> None:
    """Install the additional packages for stacks on Azure, and the given dependency groups, as `ensure_packages`."""
    further = [part for group in groups for part in ("--group", group)]
    _ensure(uv, "the packages for Azure (some 300 MB the first time)", *_extras([*STACK, "azure"]), *further)


def ensure_developers(uv: Path) -> None:
    """Install what tests, style and types need, with PySpark, whose types are checked, too; raises `SetupError`."""
    _ensure(uv, "the developers' tools (some 500 MB the first time)", *_extras([*STACK, "spark"]), "--group", "dev")


def ensure_spark_packages(uv: Path) -> None:
    """Install PySpark and SynapseML, and a Java if the machine has no Java 17; raises `SetupError`."""
    _ensure(uv, "PySpark for engine `spark` (some 320 MB the first time)", *_extras([*STACK, "spark"]))
    if not system_java_homes():
        _ensure(uv, f"Java {JAVA}, which this machine does not have, as a Python package", "--extra", "java")


def _extras(names: Sequence[str]) -> list[str]:
    return [part for name in names for part in ("--extra", name)]


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
    # --inexact: keep packages that were added before, such as the developers' tools.
    command = [str(uv), "sync", "--frozen", "--inexact", "--no-default-groups", "--python", PYTHON, *options]
    stderr = subprocess.DEVNULL if "--quiet" in options else None
    return subprocess.run(command, cwd=str(ROOT), env=environment, check=False, stderr=stderr)  # noqa: S603 - the uv found
