"""The canary run: with a wheel that can't be imported, `up` ends before it creates a cluster."""

from tests.simulation.scenarios.changes import says
from tests.simulation.scenarios.first_days import CLUSTER, START, calls
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack
from tools.paths import ROOT

ENTRY = ROOT / "training" / "databricks.py"
"""In the scenarios' copy of the project. Only the wheel's entry point imports it."""
MISSING = "no_version_of_pydantic_has_this"
FAILED = "The canary run failed"
SENTENCES = (FAILED, f"cannot import name '{MISSING}'", "were not created or changed")


def broken_wheel(stack: SimulatedStack, report: Report) -> None:
    """`up` with a wheel that the runtime's Python can't import, then with a good one, then again."""
    whole = ENTRY.read_text(encoding="utf-8")
    ENTRY.write_text(f"from pydantic import {MISSING}\n{whole}", encoding="utf-8")
    error = stack.fails(stack.up)
    ENTRY.write_text(whole, encoding="utf-8")
    said = [sentence for sentence in SENTENCES if says(error, sentence)]
    report.want("sentences of an `up` with a wheel that can't be imported", SENTENCES, tuple(said))
    report.want("requests for a cluster until then", 0, calls(stack, CLUSTER))
    report.want("runs until then", 1, calls(stack, START))
    runs = calls(stack, START)
    stack.up()
    report.want("runs of an `up` with the whole wheel, the training among them", 2, calls(stack, START) - runs)
    report.want("requests for a cluster then, at least", 1, min(1, calls(stack, CLUSTER)))
    runs = calls(stack, START)
    report.want("touched by a second `up` with the same code", [], sorted(stack.up().touched))
    report.want("runs of a second `up` with the same code", 0, calls(stack, START) - runs)
