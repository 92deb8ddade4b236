"""Who exists in the simulated Entra ID: the deployers, and the identities of resources."""

import uuid
from dataclasses import dataclass
from typing import Any

from tests.simulation.resource_manager.resource_type import Call, dig
from tests.simulation.world import World

SERVICE_PRINCIPAL = "ServicePrincipal"
IDENTITY_OUTPUTS = ("principalId", "identity.principalId", "identityProfile.kubeletidentity.objectId")


@dataclass(frozen=True)
class Principal:
    """A member of the directory. `since` is its creation, in seconds since the epoch."""

    object_id: str
    type: str
    since: float


def principals(world: World) -> dict[str, Principal]:
    """All principals by object id."""
    found = {
        entry["object_id"].lower(): Principal(entry["object_id"].lower(), entry["type"], 0.0)
        for entry in world.setting("deployers")
    }
    for record in world.all():
        for path in IDENTITY_OUTPUTS:
            if object_id := dig(record.outputs, path):
                found[object_id.lower()] = Principal(object_id.lower(), SERVICE_PRINCIPAL, record.created)
    return found


def system_identity(call: Call) -> dict[str, Any]:
    """The `identity` output of a resource: its own object id, which stays the same while it exists, or those it was
    given.

    Azure returns a table where azure-native takes a list of ids.
    """
    wanted = str(call.input("identity.type", ""))
    if wanted == "UserAssigned":
        given = call.input("identity.userAssignedIdentities", [])
        return {"identity": {"type": wanted, "userAssignedIdentities": {identity: {} for identity in given}}}
    if "SystemAssigned" not in wanted:
        return {}
    old = dig(call.old.outputs, "identity.principalId") if call.old else None
    identity = {
        "type": wanted,
        "principalId": old or str(uuid.uuid4()),
        "tenantId": call.world.setting("tenant"),
    }
    return {"identity": identity}
