"""`make simulate`: takes stack `dev` from nothing to a service and back on the simulated Azure, through changes and
kills.

The stages are divided over processes, each with its own simulated Azure and copy of the project, because they change
serving code and the stack file. Exits with 1 if a check fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.simulation.scenarios.run import parser
from tests.support.working_tree import copy_working_tree

PARTS = {"changes": ("life", "changes"), "kills": ("kills", "private", "azure")}
"""The stages of each process, by its name. Together these are all stages, and each process takes about as long."""


def main() -> int:
    """Run the parts side by side, and return the first exit status that isn't zero."""
    asked = parser().parse_args()
    parts = {name: [stage for stage in stages if stage in asked.only] for name, stages in PARTS.items()}
    with tempfile.TemporaryDirectory(prefix="simulate-") as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        return _run({name: stages for name, stages in parts.items() if stages}, folder)


def _run(parts: Mapping[str, Sequence[str]], folder: Path) -> int:
    """Run the parts, each in the folder of its name."""
    started = []
    for name, stages in parts.items():
        project = folder / name / "project"
        _copy(project)
        command = [sys.executable, "-u", "-m", "tests.simulation.scenarios.run", "--folder", str(folder / name)]
        process = subprocess.Popen(
            [*command, "--only", *stages],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project)},
            stdout=subprocess.PIPE,
            text=True,
        )
        reader = threading.Thread(target=_show, args=(name, process.stdout))
        reader.start()
        started.append((process, reader))
    codes = [process.wait() for process, _ in started]
    for _, reader in started:
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
