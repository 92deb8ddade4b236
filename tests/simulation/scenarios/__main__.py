"""`make simulate`: takes stack `dev` from nothing to a service and back on the simulated Azure, through changes and
kills.

The stages are divided over processes, each with its own simulated Azure and copy of the project, because they change
serving code and the stack file. Exits with 1 if a check fails.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tests.simulation.scenarios import changes, interruptions, life, private
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack
from tests.support.checkout import copy_working_tree

PARTS = {"changes": ("life", "changes"), "kills": ("kills", "private", "azure")}
"""The stages of each process, by its name. Together these are all stages, and each process takes about as long."""
STAGES = tuple(stage for stages in PARTS.values() for stage in stages)
PACE = 0.01
"""Real seconds for each of Azure's: a cluster takes three, a role counts after one, and writes overlap."""
TRAINED = "trained"
"""The folder of all parts' models, beside theirs."""


def main() -> int:
    """Run the parts side by side, or with `--part` the stages here; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.scenarios", description="Simulate stack `dev`.")
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES, help="these stages alone")
    parser.add_argument("--folder", type=Path, help="keep everything there, instead of in a folder that goes away")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        return run_here(asked.folder, asked.part, asked.only)
    parts = {name: [stage for stage in stages if stage in asked.only] for name, stages in PARTS.items()}
    with tempfile.TemporaryDirectory(prefix="simulate-") as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        return _run({name: stages for name, stages in parts.items() if stages}, folder)


def _run(parts: Mapping[str, Sequence[str]], folder: Path) -> int:
    """Run the parts, each in the folder of its name; returns the first exit status that isn't zero."""
    started = []
    for name, stages in parts.items():
        project = folder / name / "project"
        _copy(project)
        command = [sys.executable, "-u", "-m", "tests.simulation.scenarios", "--part", name, "--folder", str(folder)]
        environment = os.environ | {"PYTHONPATH": str(project)}
        started.append(subprocess.Popen([*command, "--only", *stages], cwd=project, env=environment))
    return next(filter(None, [process.wait() for process in started]), 0)


def _copy(project: Path) -> None:
    """Copy what the next git commit would contain, and link this process's environment."""
    shutil.rmtree(project, ignore_errors=True)
    copy_working_tree(project)
    (project / ".venv").symlink_to(sys.prefix)


def run_here(folder: Path, part: str, only: Collection[str]) -> int:
    """Run stages in this process on one simulated Azure; returns the exit status."""
    report = Report(part)
    stack = SimulatedStack(folder / part, trained=folder / TRAINED)
    with stack.running():
        with report.stage("bootstrap"):
            stack.world.set("pace", PACE)
            stack.bootstrap()
        _stages(stack, report, only)
    report.note("models_trained_by_spark", stack.training.trained)
    return report.end()


def _stages(stack: SimulatedStack, report: Report, only: Collection[str]) -> None:
    if "life" in only or "changes" in only:
        with report.stage("preview and up from nothing"):
            life.first_up(stack, report)
        if report.missed:
            return  # the rest needs a stack
        if "life" in only:
            life.while_it_is_up(stack, report)
        if "changes" in only:
            changes.all_changes(stack, report)
        life.to_its_end(stack, report)
    if "kills" in only:
        with report.stage("SIGKILL"):
            interruptions.kills(stack, report)
    if "private" in only:
        with report.stage("a private stack"):
            private.private(stack, report)
    if "azure" in only:
        with report.stage("the tests for a subscription"):
            life.on_azure(stack, report)


if __name__ == "__main__":
    sys.exit(main())
