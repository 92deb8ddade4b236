"""`python -m tools.workflows`: checks the workflows with actionlint, built once from its pinned module, and zizmor.

zizmor runs without the network: what it would ask GitHub for, whether a pinned commit is a release of the action, is a
matter of the pull request that changes the pin.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from features.files import written_aside
from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError
from tools.setup.golang import GoProgram, build

MODULE = ROOT / "tools" / "actionlint"
PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
ZIZMOR = Path(sys.executable).with_name("zizmor")
CHECKED = ROOT / ".github"


def actionlint() -> Path:
    """The program in the cache, built if it is not there. Raises `SetupError`."""
    pins = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    target = cache_folder() / "actionlint" / hashlib.sha256(pins).hexdigest()[:12] / "actionlint"
    if not os.access(target, os.X_OK):
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(target) as aside:
            build(GoProgram(name="actionlint", module=MODULE, package=PACKAGE), aside)
    return target


def main() -> int:
    """Run both, whatever the first finds; 1 when either has a finding."""
    try:
        commands: list[list[str | Path]] = [
            [actionlint(), "-color"],
            [ZIZMOR, "--offline", "--no-progress", "--persona=pedantic", CHECKED],
        ]
    except SetupError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    found = [subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands]  # noqa: S603 - ours
    return int(any(found))


if __name__ == "__main__":
    sys.exit(main())
