"""Everything that a private stack sends to Azure is accepted in dependency order, and deleted in reverse order.

Uses the program's own inputs, recorded with mocks. It takes seconds, without an engine and a cluster.
"""

import time
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest

from infra.cloud.names import Names
from tests.infra.graph.cloud_recorder import DEPLOYERS, PEERED, SUBSCRIPTION
from tests.infra.wiring.page import PRIVATE
from tests.infra.wiring.recording import Declared, committed, record
from tests.simulation.pulumi_stack import put_groups
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.resource_manager.resource_type import dig
from tests.simulation.services.network import NETWORK
from tests.simulation.world import Record

HUB = {"addressSpace": {"addressPrefixes": ["10.50.0.0/16"]}, "subnets": []}
PRINCIPALS = {
    "managedidentity:UserAssignedIdentity aks-identity": ("principal-of-cluster", "principalId"),
    "managedidentity:UserAssignedIdentity scoring-identity": ("principal-of-pods", "principalId"),
    "containerservice:ManagedCluster cluster": ("principal-of-nodes", "identityProfile.kubeletidentity.objectId"),
}
"""The mocks' principal for each identity, and the output with its object id."""


@pytest.fixture(scope="module")
def stack() -> dict[str, Declared]:
    """What stack `dev` declares as a private stack, by name."""
    return {one.name: one for one in record(committed("dev", **PRIVATE), "dev").resources}


def ordered(stack: dict[str, Declared]) -> Iterator[Declared]:
    """The azure-native resources, each after its dependencies."""
    edges = {
        name: {*one.after, *(source for sources in one.sources.values() for source in sources)}
        for name, one in stack.items()
    }
    for name in TopologicalSorter(edges).static_order():
        if name in stack and stack[name].options.get("provider") == "azure":
            yield stack[name]


def unmarked(value: Any) -> Any:
    """Inputs without secret markers, and with whole numbers as integers, as the engine's protocol delivers them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return unmarked(value["secret"]) if set(value) == {"secret"} else {k: unmarked(v) for k, v in value.items()}
    return [unmarked(part) for part in value] if isinstance(value, list) else value


class Replay:
    """Creates what was recorded; the mocks' ids become those of the simulated Azure."""

    def __init__(self, arm: AzureNative) -> None:
        """The peered network exists already."""
        self.arm = arm
        self.made: list[Record] = []
        self._known: dict[str, str] = {}
        now = time.time()
        group = PEERED.partition("/providers/")[0]
        arm.world.put(Record(group, "azure-native:resources:ResourceGroup", {}, {}, now, now))
        arm.world.put(Record(PEERED, NETWORK, HUB, {}, now, now))

    def create(self, one: Declared) -> None:
        """Create a resource; raises `RefusedError`."""
        kind = "azure-native:" + one.name.partition(" ")[0]
        record = self.arm.create(kind, self._translated(unmarked(dict(one.inputs))))
        self.made.append(record)
        self._known[one.id] = record.id
        if principal := dig(record.outputs, "identity.principalId"):
            self._known[f"principal-of-{record.id.rpartition('/')[2]}"] = principal
        if one.name in PRINCIPALS:
            called, path = PRINCIPALS[one.name]
            self._known[called] = dig(record.outputs, path)

    def _translated(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._translated(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._translated(part) for part in value]
        if isinstance(value, str):
            for called in sorted(self._known, key=len, reverse=True):
                value = value.replace(called, self._known[called])
        return value


def test_a_private_stack_is_accepted_and_deleted(arm: AzureNative, stack: dict[str, Declared]) -> None:
    members = [{"object_id": DEPLOYERS[0], "type": "User"}, {"object_id": DEPLOYERS[1], "type": "Group"}]
    arm.world.set("deployers", members)
    groups = put_groups(arm.world, Names(stack="dev", subscription=SUBSCRIPTION, suffix="a"))
    replay = Replay(arm)
    for one in ordered(stack):
        replay.create(one)
    assert len(replay.made) > 80
    for made in reversed(replay.made):
        arm.delete(made.type, made.id)
    left = {one.id for one in arm.world.all()}
    assert left == {PEERED.partition("/providers/")[0], PEERED, *groups}
