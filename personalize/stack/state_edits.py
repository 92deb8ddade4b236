"""Corrects a stack's state: operations that a killed engine left open, and node pools that AKS reports twice.

Interrupted steps find their own work again. Resources on Azure are adopted: they are written into the state with their
IDs, and a refresh of them alone reads or removes them. `pulumi refresh --import-pending-creates` does not work here: it
marks such resources and then drops them (seen with Pulumi 3.274).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pulumi.automation import Deployment, Stack

from infra.azure_settings import AzureSettings
from infra.cloud.names import SYSTEM_POOL
from personalize.stack.adoption import identity_of
from personalize.stack.databricks_access import numbered_identity

CREATING = "creating"
CLUSTER = "azure-native:containerservice:ManagedCluster"
POOLS = "agentPoolProfiles"
Refresh = Callable[[list[str]], object]
Resource = Mapping[str, Any]


def settle(stack: Stack, pending: Sequence[Resource], azure: AzureSettings | None, refresh: Refresh) -> str:
    """Resolve the stack's operations `pending`. Returns a message.

    `refresh` runs `pulumi refresh` with more arguments. Operations that the next update repeats are dropped.
    """
    exported = stack.export_stack()
    deployment = dict(exported.deployment or {})
    resources = list(deployment.get("resources") or ())
    adopted = _adopted(pending, resources, azure) if azure else []
    deployment |= {"pending_operations": [], "resources": [*resources, *adopted]}
    stack.import_stack(Deployment(version=exported.version, deployment=deployment))
    if adopted:
        refresh([part for resource in adopted for part in ("--target", resource["urn"])])
    found = f", {len(adopted)} of which Azure may have finished" if adopted else ""
    return f"The last update was killed in {len(pending)} step(s){found}; continuing from there."


def _adopted(pending: Sequence[Resource], resources: Sequence[Resource], azure: AzureSettings) -> list[Resource]:
    """The resources that were being created and may exist, with their IDs."""
    known = {resource["urn"] for resource in resources}
    adopted: list[Resource] = []
    for operation in pending:
        resource = operation["resource"]
        if operation["type"] != CREATING or resource["urn"] in known:
            continue
        inputs = resource.get("inputs") or {}
        identity = identity_of(resource["type"], inputs, azure.subscription) or numbered_identity(
            resource["type"], inputs, resources, azure.tenant
        )
        if identity is not None:
            adopted.append({**resource, "id": identity, "outputs": inputs})
    return adopted


def forget_shown_pools(stack: Stack) -> None:
    """Reduce the clusters in the state to their own node pool.

    AKS lists pools that are resources of their own in the cluster too. After a refresh the next update would take them
    for a change, and write the cluster without them.
    """
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
