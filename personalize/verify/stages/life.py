"""The whole stack: brought up, updated without changes, paused, destroyed."""

import time

from azure_clients.retries import USUAL
from personalize.checks.subscription.free_names import VAULT_VERSION
from personalize.clients.service import READY_SECONDS
from personalize.stack.power import VERSION, Power, cluster_path, power_of, switch
from personalize.teardown.leftovers import leftovers, settled
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage, StageFailedError
from personalize.verify.stages.options import asked_from_outside, traces
from personalize.verify.stages.storage import MACHINE_LEARNING, WORKSPACE_VERSION

SAME = frozenset({"same"})
ROLES = ("write to the lake", "read the lake", "list the models", "start the build")
JOIN = "join the Databricks workspace"
REGISTER = "register the model"
CLUSTER = "the cluster"


def _up(bench: Bench) -> str:
    outcome = bench.up()
    return f"{outcome.changes.get('create', 0)} resources made in {outcome.seconds / 60:.0f} min."


def waited(bench: Bench, *what: str, within: float) -> Seen:
    """Whether the steps waited no longer than `within` seconds for each of `what`."""
    waits = {name: bench.waits.get(name, 0.0) for name in what}
    shown = ", ".join(f"to {name}: {seconds:.0f} s" for name, seconds in waits.items())
    return Seen(holds=max(waits.values()) <= within, answer=f"waited {shown}")


UP = Stage(
    name="up",
    title="the whole stack, from nothing to a service",
    minutes="40 to 90",
    act=_up,
    looks={
        "roles-count-in-time": lambda bench: waited(bench, *ROLES, within=USUAL.seconds),
        "joining-takes-minutes": lambda bench: waited(bench, JOIN, within=USUAL.seconds),
        "model-upload-role": lambda bench: waited(bench, REGISTER, within=USUAL.seconds),
        "cluster-lets-in": lambda bench: waited(bench, CLUSTER, within=USUAL.seconds),
    },
    changes=True,
)


def _again(bench: Bench) -> str:
    for how, refresh in (("A second `up`", False), ("An `up` after a refresh", True)):
        changes = bench.up(refresh=refresh).changes
        touched = {kind: count for kind, count in changes.items() if kind not in SAME and count}
        if touched:
            raise StageFailedError(f"{how} should change nothing, but changed {touched}.")
    return "0 changes, also after a refresh."


def _nothing_drifts(bench: Bench) -> Seen:
    """Holds, or the stage would have failed."""
    del bench
    return Seen(holds=True, answer="after a refresh, Azure's resources are as declared")


AGAIN = Stage(
    name="again",
    title="a second `up`, and one after a refresh",
    minutes="3 to 10",
    act=_again,
    # Checked here, as both arrive minutes after a request to the service.
    looks={"no-drift": _nothing_drifts, "traces-arrive": traces, "asked-from-outside": asked_from_outside},
    changes=True,
)


def _pause(bench: Bench) -> str:
    path = cluster_path(bench.stack, bench.settings)
    began = time.monotonic()
    switch(bench.manager, path, Power.STOPPED)
    stopped = time.monotonic()
    switch(bench.manager, path, Power.RUNNING)
    started = time.monotonic()
    ready = bench.service().await_ready(READY_SECONDS)
    if ready is None:
        raise StageFailedError(f"The service does not answer {READY_SECONDS:.0f} s after the cluster started.")
    return (
        f"stopped in {stopped - began:.0f} s, started in {started - stopped:.0f} s, answers after {ready:.0f} s more."
    )


def _power(bench: Bench) -> Seen:
    path = cluster_path(bench.stack, bench.settings)
    code = (bench.resource(path, VERSION).get("powerState") or {}).get("code")
    return Seen(holds=code == Power.RUNNING == power_of(bench.manager, path), answer=f"powerState.code {code}")


PAUSE = Stage(
    name="pause",
    title="stop the cluster, start it, and wait for the service",
    minutes="10 to 20",
    act=_pause,
    looks={"power-codes": _power},
    changes=True,
)


def _destroy(bench: Bench) -> str:
    bench.before_destroy = bench.names
    outcome = bench.operate(lambda session, on_step: session.destroy(on_step))
    left = settled(lambda: leftovers(bench.manager, bench.names), bench.say, time.sleep)
    costing = [f"{one.kind} {one.name}: {one.why}" for one in left if one.billable]
    if costing:
        raise StageFailedError("Something is left that costs money:\n" + "\n".join(f"  {line}" for line in costing))
    return f"{outcome.changes.get('delete', 0)} resources deleted; {len(left)} left, none of which costs money."


def _purged(bench: Bench) -> Seen:
    subject, names = bench.subject, bench.before_destroy or bench.names
    group = f"{subject.subscription}/resourceGroups/{names.training_group}"
    path = f"{group}/providers/{MACHINE_LEARNING}/{names.machine_learning}"
    there = bench.manager.get(path, WORKSPACE_VERSION) is not None
    return Seen(holds=not there, answer="the workspace is still there" if there else "the workspace is gone")


def _vault_listed(bench: Bench) -> Seen:
    names = bench.before_destroy or bench.names
    path = f"{bench.subject.subscription}/providers/Microsoft.KeyVault/deletedVaults"
    found = [vault for vault in bench.manager.list(path, VAULT_VERSION) if vault.get("name") == names.vault]
    tags = ((found[0].get("properties") or {}).get("tags") or {}) if found else {}
    return Seen(holds=bool(found) and "stack" in tags, answer=f"{len(found)} deleted vault of that name, tags {tags}")


DESTROY = Stage(
    name="destroy",
    title="delete everything, and list what is left",
    minutes="15 to 30",
    act=_destroy,
    looks={"workspace-purged": _purged, "deleted-vault-keeps-tags": _vault_listed},
    changes=True,
)
