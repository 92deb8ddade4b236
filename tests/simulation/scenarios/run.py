"""Runs the stages in one process on one simulated Azure. `python -m tests.simulation.scenarios` starts it."""

import argparse
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.simulation.scenarios import (
    changes,
    first_days,
    interruptions,
    life,
    nights,
    on_azure,
    private,
)
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack

SEED = 20_261_125
PACE = 0.01
"""Real seconds for each of Azure's: a cluster takes three, a role counts after one, and writes overlap."""
KILLS, FULL_KILLS = 1, 20
SEEDS, FULL_SEEDS = (3,), range(1, 9)
"""Of the cycles. Number 3 has faults of each service that the steps call, and a training run that fails."""
REPORT = "report.json"
TRAINED = "trained"
"""The folder of all parts' models, beside theirs."""
STAGES = ("life", "changes", "nights", "private", "first_days", "azure", "kills", "walk", "cycles")
FULL_STAGES = ("nights", "azure")
"""These run with `--full`, or if they are named."""


def parser() -> argparse.ArgumentParser:
    """The options that both processes take."""
    made = argparse.ArgumentParser(prog="python -m tests.simulation.scenarios", description="Simulate stack `dev`.")
    made.add_argument("--full", action="store_true", help="all stages, changes, kills and cycles, and every call")
    made.add_argument("--only", nargs="+", choices=STAGES, help="these stages alone")
    made.add_argument("--folder", type=Path, help="keep everything there, instead of in a folder that goes away")
    return made


def chosen(asked: argparse.Namespace) -> Sequence[str]:
    """The stages to run."""
    only: Sequence[str] | None = asked.only
    return only or [stage for stage in STAGES if asked.full or stage not in FULL_STAGES]


def main() -> None:
    """Run the stages and write the results into the folder."""
    asked = parser().parse_args()
    report = Report()
    stack = SimulatedStack(asked.folder, report.say, trained=asked.folder.parent / TRAINED)
    try:
        with report.stage("start of the simulated Azure"):
            stack.start()
            stack.world.set("pace", PACE)
            stack.bootstrap()
        run(stack, report, chosen(asked), full=asked.full)
    finally:
        stack.stop()
    report.note("models_trained_by_spark", stack.trained)
    found = {"figures": report.figures, "targets": [asdict(target) for target in report.targets]}
    (asked.folder / REPORT).write_text(json.dumps(found), encoding="utf-8")


def run(stack: SimulatedStack, report: Report, only: Collection[str], *, full: bool) -> None:
    """The stages `only` on one simulated Azure."""
    if "life" in only or "changes" in only:
        with report.stage("preview and up from nothing"):
            life.first_up(stack, report)
        if not report.holds:
            return  # the rest needs a stack
    if "life" in only:
        with report.stage("preview of prod"):
            life.preview_prod(stack, report)
        with report.stage("the same again"):
            life.same_again(stack, report)
            life.preview_as_pull_request(stack, report)
            if full:
                life.mend_drift(stack, report)
    if "changes" in only:
        changes.all_changes(stack, report, full=full)
        with report.stage("another region"):
            changes.another_region(stack, report, full=full)
    if "life" in only:
        with report.stage("another deployer"):
            life.by_another_deployer(stack, report)
        with report.stage("a paused stack"):
            life.pause(stack, report)
    if "life" in only or "changes" in only:
        with report.stage("destroy"):
            life.go_down(stack, report, "after destroy")
            stack.sign_in(0)
    _faults(stack, report, only, full=full)


def _faults(stack: SimulatedStack, report: Report, only: Collection[str], *, full: bool) -> None:
    """The stages that start and end without a stack."""
    if "nights" in only:
        with report.stage("nights on another team's tables"):
            nights.nights(stack, report)
    if "private" in only:
        with report.stage("a private stack"):
            private.private(stack, report)
    if "first_days" in only:
        with report.stage("a subscription's first days"):
            first_days.first_days(stack, report)
            life.go_down(stack, report, "after the first days")
    if "azure" in only:
        with report.stage("the tests for a subscription"):
            on_azure.on_azure(stack, report)
            life.nothing_left(stack, report, "after the tests for a subscription")
    if "kills" in only:
        with report.stage("SIGKILL"):
            interruptions.kills(stack, report, FULL_KILLS if full else KILLS, SEED)
    if "walk" in only:
        with report.stage("calls fail once"):
            interruptions.walk(stack, report, full=full)
    if "cycles" in only:
        with report.stage("cycles of up, faults, up, destroy"):
            interruptions.cycles(stack, report, FULL_SEEDS if full else SEEDS)


if __name__ == "__main__":
    main()
