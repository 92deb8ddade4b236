"""`python -m tools.workflows`: checks the workflows with actionlint, built once from its pinned module, and zizmor.

zizmor runs offline. Whether a pinned commit is a release of the action, which it would ask GitHub, is checked in the
pull request that changes the pin.
"""

import subprocess
import sys
from pathlib import Path

from tools.paths import ROOT
from tools.setup.console import exit_status
from tools.setup.golang import GoProgram, built

ACTIONLINT = GoProgram("actionlint", "actionlint", "github.com/rhysd/actionlint/cmd/actionlint")
ZIZMOR = Path(sys.executable).with_name("zizmor")
CHECKED = ROOT / ".github"


def check() -> None:
    """Run both, whatever the first finds; ends the process with 1 if either has a finding."""
    commands: list[list[str | Path]] = [
        [*built(ACTIONLINT), "-color"],
        [ZIZMOR, "--offline", "--no-progress", "--persona=pedantic", CHECKED],
    ]
    found = [subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands]  # noqa: S603 - ours
    sys.exit(int(any(found)))


if __name__ == "__main__":
    sys.exit(exit_status(check))
