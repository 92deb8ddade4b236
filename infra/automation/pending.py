"""What a killed engine left open in a stack's state: steps find their own work again, Azure's resources are adopted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pulumi.automation import Deployment, Stack

from infra.cloud.adoption import identity_of
from infra.cloud.settings import AzureSettings

CREATING = "creating"
Refresh = Callable[[list[str]], object]


def settle(
    stack: Stack,
    pending: Sequence[Mapping[str, Any]],
    azure: AzureSettings | None,
    refresh: Callable[[list[str]], object],
) -> str:
    """Close the operations `pending` of the stack; returns what was done, in words.

    `refresh` runs `pulumi refresh` with more arguments. What Azure went on to make is taken into the state by its id,
    which the refresh drops again when nothing is there; all else is forgotten, as the next update does it anew.
    """
    adopted = _adopted(pending, azure.subscription) if azure else {}
    _keep(stack, set(adopted))
    if adopted:
        pairs = [part for pair in adopted.items() for part in pair]
        refresh([part for value in pairs for part in ("--import-pending-creates", value)])
    found = f", {len(adopted)} of them in what Azure may have gone on to make" if adopted else ""
    return f"The last update was killed in {len(pending)} step(s){found}; carrying on from there."


def _adopted(pending: Sequence[Mapping[str, Any]], subscription: str) -> dict[str, str]:
    """The ids, by URN, of what was being created and may exist."""
    begun = [operation["resource"] for operation in pending if operation["type"] == CREATING]
    identities = {
        resource["urn"]: identity_of(resource["type"], resource.get("inputs") or {}, subscription) for resource in begun
    }
    return {urn: identity for urn, identity in identities.items() if identity is not None}


def _keep(stack: Stack, urns: set[str]) -> None:
    """Forget all pending operations but the creation of `urns`."""
    exported = stack.export_stack()
    deployment = dict(exported.deployment or {})
    deployment["pending_operations"] = [
        operation
        for operation in deployment.get("pending_operations") or ()
        if operation["type"] == CREATING and operation["resource"]["urn"] in urns
    ]
    stack.import_stack(Deployment(version=exported.version, deployment=deployment))
