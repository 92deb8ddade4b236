"""Takes out of a stack's state what AKS shows of a cluster beside what the cluster was asked for.

Node pools that are resources of their own stand in the cluster's list as well. After a refresh the next update would
take them for a change and write the cluster without them.
"""

from collections.abc import Mapping
from typing import Any

from pulumi.automation import Deployment, Stack

from infra.cloud.names import SYSTEM_POOL

CLUSTER = "azure-native:containerservice:ManagedCluster"
POOLS = "agentPoolProfiles"


def forget_shown_pools(stack: Stack) -> None:
    """Leave the clusters in the state with their own pools alone."""
    exported = stack.export_stack()
    deployment = dict(exported.deployment or {})
    before = deployment.get("resources") or []
    after = [_without_shown(item) if item["type"] == CLUSTER else item for item in before]
    if after != before:
        stack.import_stack(Deployment(version=exported.version, deployment=deployment | {"resources": after}))


def _without_shown(cluster: Mapping[str, Any]) -> dict[str, Any]:
    outputs = cluster["outputs"]
    kept = {"__inputs": _own(outputs["__inputs"])} if "__inputs" in outputs else {}
    return {**cluster, "inputs": _own(cluster["inputs"]), "outputs": {**outputs, **kept}}


def _own(inputs: Mapping[str, Any]) -> dict[str, Any]:
    own = [pool for pool in inputs.get(POOLS) or () if pool.get("name") == SYSTEM_POOL]
    return {**inputs, POOLS: own} if POOLS in inputs else dict(inputs)
