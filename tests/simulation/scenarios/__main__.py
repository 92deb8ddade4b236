"""`make simulate`: takes stack `dev` from nothing to a service and back on the simulated Azure, through changes and
faults.

The stages are divided over processes, each with its own simulated Azure and copy of the project, because they change
serving code and the stack file. Exits with 1 if a check fails; writes the results to
`benchmarks/results/simulate.json`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from benchmarks.results import Target, publish
from tests.simulation.scenarios.run import REPORT, chosen, parser
from tests.support.working_tree import copy_working_tree

PARTS = {
    "changes": ("life", "changes"),
    "faults": ("first_days", "kills", "walk"),
    "cycles": ("nights", "private", "azure", "cycles"),
}
"""The stages of each process, by its name. Together these are all stages, and each process takes about as long."""


def main() -> int:
    """Run the parts, publish their results, and return whether all checks hold."""
    asked = parser().parse_args()
    only = chosen(asked)
    parts = {name: [stage for stage in stages if stage in only] for name, stages in PARTS.items()}
    parts = {name: stages for name, stages in parts.items() if stages}
    with tempfile.TemporaryDirectory(prefix="simulate-") as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        if failed := _run(parts, folder, full=asked.full):
            return failed
        reports = [json.loads((folder / name / REPORT).read_text(encoding="utf-8")) for name in parts]
    targets = [Target(**target) for found in reports for target in found["targets"]]
    if not asked.only:
        publish("simulate", {name: found["figures"] for name, found in zip(parts, reports, strict=True)}, targets)
    missed = [target.name for target in targets if not target.holds]
    print(f"{len(targets) - len(missed)} of {len(targets)} hold{'' if not missed else ', not: ' + '; '.join(missed)}")  # noqa: T201 - a command's output
    return 1 if missed else 0


def _run(parts: Mapping[str, Sequence[str]], folder: Path, *, full: bool) -> int:
    """Run the parts side by side, each in the folder of its name; returns the first exit status that isn't zero."""
    started = []
    for name, stages in parts.items():
        own = folder / name
        project = own / "project"
        _copy(project)
        command = [sys.executable, "-u", "-m", "tests.simulation.scenarios.run", "--folder", str(own)]
        started.append(
            subprocess.Popen(
                [*command, "--only", *stages, *(["--full"] if full else [])],
                cwd=project,
                env=os.environ | {"PYTHONPATH": str(project)},
                stdout=None if len(parts) == 1 else subprocess.PIPE,
                text=True,
            )
        )
    readers = [
        threading.Thread(target=_show, args=(name, process.stdout))
        for name, process in zip(parts, started, strict=True)
        if process.stdout is not None
    ]
    for reader in readers:
        reader.start()
    codes = [process.wait() for process in started]
    for reader in readers:
        reader.join()
    return next(filter(None, codes), 0)


def _show(name: str, lines: IO[Any]) -> None:
    """Print a part's lines, each with the part's name."""
    width = max(map(len, PARTS))
    for line in lines:
        sys.stdout.write(f"{name:{width}} {line}")
        sys.stdout.flush()


def _copy(project: Path) -> None:
    """Copy what the next git commit would contain, and link this process's environment."""
    shutil.rmtree(project, ignore_errors=True)
    copy_working_tree(project)
    (project / ".venv").symlink_to(sys.prefix)


if __name__ == "__main__":
    sys.exit(main())
