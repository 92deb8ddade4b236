"""Runs the stages in one process on one simulated Azure. `python -m tests.simulation.scenarios` starts it."""

import argparse
import sys
from collections.abc import Collection
from pathlib import Path

from tests.simulation.scenarios import changes, interruptions, life, on_azure, private
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack

PACE = 0.01
"""Real seconds for each of Azure's: a cluster takes three, a role counts after one, and writes overlap."""
TRAINED = "trained"
"""The folder of all parts' models, beside theirs."""
STAGES = ("life", "changes", "kills", "private", "azure")


def parser() -> argparse.ArgumentParser:
    """The options that both processes take."""
    made = argparse.ArgumentParser(prog="python -m tests.simulation.scenarios", description="Simulate stack `dev`.")
    made.add_argument("--only", nargs="+", choices=STAGES, default=STAGES, help="these stages alone")
    made.add_argument("--folder", type=Path, help="keep everything there, instead of in a folder that goes away")
    return made


def main() -> int:
    """Run the stages; returns the exit status."""
    asked = parser().parse_args()
    report = Report()
    stack = SimulatedStack(asked.folder, trained=asked.folder.parent / TRAINED)
    try:
        with report.stage("start of the simulated Azure"):
            stack.start()
            stack.world.set("pace", PACE)
            stack.bootstrap()
        run(stack, report, asked.only)
    finally:
        stack.stop()
    report.note("models_trained_by_spark", stack.trained)
    return report.end()


def run(stack: SimulatedStack, report: Report, only: Collection[str]) -> None:
    """The stages `only` on one simulated Azure."""
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
            on_azure.on_azure(stack, report)


if __name__ == "__main__":
    sys.exit(main())
