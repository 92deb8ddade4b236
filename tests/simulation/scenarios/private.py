"""A private stack, deployed from a peered network; nothing is left at the end, in either network."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from tests.simulation.scenarios import life
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import SimulatedStack
from tests.simulation.world import DEFAULTS, Record
from tools.paths import ROOT

GROUP = f"/subscriptions/{DEFAULTS['subscription']}/resourceGroups/rg-hub"
SAID = "such as the serving cluster, were not created or changed"
HUB = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/hub"
PRIVATE = {"network": "private", "peered_network": HUB, "registry_tier": "Premium"}
TRAINER = "66666666-6666-4666-8666-666666666666"
"""Trains, and is no deployer."""
DOCKER = ROOT / "tests" / "simulation" / "plugins" / "docker_path"


def private(stack: SimulatedStack, report: Report) -> None:
    """`up` from the peered network, a second `up`, and `destroy`.

    The first run fails, which costs no cluster; the next `up` goes on from there.
    """
    with _inside(stack):
        calls = len(stack.calls())
        stack.world.set("run_outcomes", ["fail"])
        report.want_in("what a training run that fails says", SAID, stack.fails(stack.up))
        asked = [call for call in stack.calls()[calls:] if "containerservice" in call]
        report.want("requests for a cluster until then", [], asked)
        done, seconds = report.timed(stack.up)
        report.note("private_resources_created", done.changes.get("create", 0))
        report.note("private_up_seconds", round(seconds, 1))
        endpoint = str(done.outputs["endpoint"])
        report.want("end of the host, which the internet does not know", ".internal", endpoint[-9:])
        life.look_at_pods(stack, report)
        report.want("changes of the second private `up`", {}, life.changes_of(stack.up()))
        stack.destroy()
        under = {record.id for record in stack.world.under(HUB)} - {HUB} - stack.simulation.prepared
        report.want("left in the peered network", set(), under)
    life.nothing_left(stack, report, "after a private stack")


@contextmanager
def _inside(stack: SimulatedStack) -> Iterator[None]:
    """Work from an existing network, with Docker; afterwards everything is as before."""
    before, path, now = deepcopy(stack.settings), os.environ["PATH"], time.time()
    kinds = {GROUP: "azure-native:resources:ResourceGroup", HUB: "azure-native:network:VirtualNetwork"}
    hub = {"addressSpace": {"addressPrefixes": ["10.50.0.0/16"]}, "subnets": []}
    for identity, kind in kinds.items():
        stack.world.put(Record(identity, kind, hub if identity == HUB else {}, {}, now, now))
    stack.settings["azure"] |= {**PRIVATE, "training_run_as": TRAINER}
    stack.bootstrap()  # gives deployers their role in the existing network
    stack.world.set("place", HUB)
    os.environ["PATH"] = f"{DOCKER}{os.pathsep}{path}"
    try:
        yield
    finally:
        os.environ["PATH"] = path
        stack.world.set("place", "")
        stack.world.remove(GROUP)
        stack.settings = before | {"azure": before["azure"] | {"suffix": stack.settings["azure"]["suffix"]}}
