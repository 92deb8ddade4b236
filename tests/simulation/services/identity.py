"""User-assigned identities and their federated credentials."""

import uuid
from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services.resources import GROUP

IDENTITY = GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"


def _identity_outputs(call: Call) -> dict[str, Any]:
    old = call.old.outputs if call.old else {}
    return {
        "name": call.name,
        "principalId": old.get("principalId") or str(uuid.uuid4()),
        "clientId": old.get("clientId") or str(uuid.uuid4()),
        "tenantId": call.world.setting("tenant"),
    }


TYPES = [
    ResourceType(
        pulumi_type="azure-native:managedidentity:UserAssignedIdentity",
        model="azure.mgmt.msi.v2024_11_30.models:Identity",
        path=IDENTITY,
        replaces=frozenset({"location"}),
        outputs=_identity_outputs,
    ),
    ResourceType(
        pulumi_type=CREDENTIAL,
        model="azure.mgmt.msi.v2024_11_30.models:FederatedIdentityCredential",
        path=IDENTITY + "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
        serial=lambda identity: identity.rpartition("/federatedIdentityCredentials/")[0],
    ),
]
