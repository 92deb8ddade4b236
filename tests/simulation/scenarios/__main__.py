"""`make simulate`: stack `dev` from nothing to a service and back on the simulated Azure, through changes and faults.

It works on a copy of the project, as it changes serving code and stack file. Exits 1 when anything misses; what was
found goes to `benchmarks/results/simulate.json`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import Target, publish
from infra.paths import ROOT
from tests.simulation.scenarios.run import REPORT, STAGES, parser


def main() -> int:
    """Run the stages on a copy, publish what they found, and say whether all of it holds."""
    asked = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="simulate-") as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        project = folder / "project"
        _copy(project)
        command = [sys.executable, "-u", "-m", "tests.simulation.scenarios.run", "--folder", str(folder)]
        options = ["--only", *asked.only, *(["--full"] if asked.full else [])]
        environment = os.environ | {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run([*command, *options], cwd=project, env=environment, check=False)
        if ended.returncode != 0:
            return ended.returncode
        found = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    targets = [Target(**target) for target in found["targets"]]
    if tuple(asked.only) == STAGES:
        publish("simulate", found["figures"], targets)
    missed = [target.name for target in targets if not target.holds]
    print(f"{len(targets) - len(missed)} of {len(targets)} hold{'' if not missed else ', not: ' + '; '.join(missed)}")  # noqa: T201 - a command's output
    return 1 if missed else 0


def _copy(project: Path) -> None:
    """What git would have in the next commit, with the environment of this process."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    shutil.rmtree(project, ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    (project / ".venv").symlink_to(sys.prefix)


if __name__ == "__main__":
    sys.exit(main())
