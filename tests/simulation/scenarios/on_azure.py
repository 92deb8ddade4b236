"""`pytest -m azure` on the simulated Azure, without the tests that need a running image or this machine's set-up.

They start as the subscription's owner, and go on after `bootstrap` as a deployer who has the roles that it gave, in the
stack's groups, and none on the subscription.
"""

import json
import os
import shutil
import subprocess
import sys

from tests.simulation.scenarios.life import nothing_left
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import OWNER, SimulatedStack
from tools.paths import ROOT

FIRST = "bootstrap"
REST = "not (doctor or bootstrap or predict or recommend or another or pause)"
UNLIKE = {
    "Databricks creates the managed group, whose `managedBy` is the workspace.",
    "AKS creates the nodes' group, whose `managedBy` is the cluster.",
    "The autoscaler gets the pods' CPU from AKS' own metrics server.",
    "A deleted Key Vault stays in the list of deleted vaults with its tags.",
}
"""Assumptions that the simulation doesn't meet: both groups are names there, and it lists no deleted vaults."""


def on_azure(stack: SimulatedStack, report: Report) -> None:
    """From nothing to nothing."""
    stack.session()  # writes the stack file
    shutil.copyfile(stack.file, ROOT / "Pulumi.dev.yaml")  # in the scenarios' copy of the project
    stack.world.set("deployer_roles", [OWNER])
    report.want("tests until the bootstrap", 0, _tests(stack, FIRST))
    stack.simulation.prepared |= {record.id for record in stack.world.all()}
    stack.world.set("deployer_roles", [])
    report.want("tests of a deployer without roles on the subscription", 0, _tests(stack, REST))
    answers = json.loads((ROOT / "dist" / "azure" / "answers-trial.json").read_text(encoding="utf-8"))
    unlike = {says for says, one in answers.items() if isinstance(one, dict) and one.get("holds") is False}
    report.want("assumptions that the simulation itself does not meet", UNLIKE, unlike)
    nothing_left(stack, report, "after the tests for a subscription")


def _tests(stack: SimulatedStack, which: str) -> int:
    """The exit status of the tests."""
    command = [sys.executable, "-m", "pytest", "-m", "azure", "-k", which, "-p", "no:cacheprovider", "tests/azure"]
    with (stack.folder / "on_azure.log").open("ab") as log:
        return subprocess.run(command, cwd=ROOT, env=os.environ, stdout=log, stderr=log, check=False).returncode
