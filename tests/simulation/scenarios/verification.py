"""`personalize verify` on the simulated Azure: each stage creates its part and records the simulation's answers.

It starts as the owner of an unused subscription, and continues after `bootstrap` as a deployer who has the roles that
`bootstrap` gave, in the stack's groups, and none on the subscription. Stages that need a running service are left out.
"""

import re

from azure_clients import credentials
from personalize.bootstrap.names import STATE_GROUP
from personalize.verify.bench import Bench
from personalize.verify.record import Record, record_file
from personalize.verify.runner import run
from personalize.verify.stages import STAGES
from tests.simulation.scenarios.report import Report
from tests.simulation.scenarios.stack import STACK, SimulatedStack
from tests.simulation.world import DEFAULTS

LEFT_OUT = frozenset({"endpoint", "pause"})
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
UNLIKE = frozenset(
    {
        "blob-endpoint-of-a-lake",  # Azurite has no hierarchical accounts
        "workspace-gives-itself-roles",
        "managed-group",  # it and the nodes' group exist as names alone
        "node-group",
        "cluster-as-asked",  # a run's cluster is a process on this machine
        "zones-as-asked",  # stack `dev` has no zones
        "container-insights",  # no pods' logs,
        "traces-arrive",  # no traces
        "asked-from-outside",  # and no availability test
        "autoscaler-metrics",  # no metrics server
        "deleted-vault-keeps-tags",  # no list of deleted vaults
    }
)
"""Assumptions about Azure that the simulation doesn't meet."""
GIVEN = re.compile(
    r"/subscriptions/[^/]+(/resourceGroups/[^/]+)?/providers/Microsoft\.Authorization/role(Assignments|Definitions)/[^/]+$"
)
"""Roles and their assignments for a whole group or the subscription, which `up` never makes."""


def verify(stack: SimulatedStack, report: Report) -> None:
    """From nothing to nothing, one stage after another."""
    stack.session()  # writes the stack file
    stack.world.set("registered_providers", [])
    stack.world.set("deployer_roles", [OWNER])
    bench = Bench(
        stack=STACK,
        settings_file=stack.file,
        shown=lambda operate: operate(lambda update: report.say(f"{update.step} {update.text}".strip())),
        say=report.say,
    )
    record = Record.of(STACK, stack.settings["azure"]["subscription"])
    last = [stage.name for stage in STAGES].index("bootstrap")
    record = run(STAGES[: last + 1], bench, record, report.line)
    stack.world.set("deployer_roles", [])
    credentials.forget_tokens()
    rest = [stage for stage in STAGES[last + 1 :] if stage.name not in LEFT_OUT]
    record = run(rest, bench, record, report.line)
    stack.world.set("deployer_roles", DEFAULTS["deployer_roles"])
    credentials.forget_tokens()
    stack.read_suffix()
    record_file(STACK).unlink()
    # `destroy` leaves what `bootstrap` made: the state, and rights in groups and subscription.
    stack.world.remove(f"/subscriptions/{record.subscription}/resourceGroups/{STATE_GROUP}")
    for identity in [one.id for one in stack.world.all() if GIVEN.match(one.id)]:
        stack.world.remove(identity)
    failed = {name: stage.said for name, stage in record.stages.items() if stage.status == "failed"}
    report.want("stages of a verification that failed", {}, failed)
    seen = {name: one for stage in record.stages.values() for name, one in stage.seen.items()}
    unlike = {name: one.answer for name, one in seen.items() if not one.holds}
    for name, answer in unlike.items():
        report.line(f"      {name}: {answer}")
    report.want("assumptions that the simulation itself does not meet", set(UNLIKE), set(unlike))
