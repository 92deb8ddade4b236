"""User-assigned identities and their federated credentials."""

import uuid
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType
from tests.simulation.services.resources import GROUP
from tests.simulation.world import key_of

IDENTITY = GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
MAX_CREDENTIALS = 20


def _refuse_same_subject(call: Call) -> None:
    identity = key_of(call.id.rpartition("/federatedIdentityCredentials/")[0])
    siblings = [
        other
        for other in call.world.all(CREDENTIAL)
        if key_of(other.id).startswith(identity + "/") and key_of(other.id) != key_of(call.id)
    ]
    wanted = (call.input("issuer"), call.input("subject"))
    if any((other.inputs.get("issuer"), other.inputs.get("subject")) == wanted for other in siblings):
        message = f"Issuer and subject {wanted} are already used by another credential of this identity."
        raise RefusedError(409, "Conflict", message)
    if len(siblings) >= MAX_CREDENTIALS:
        raise RefusedError(400, "BadRequest", f"An identity has at most {MAX_CREDENTIALS} federated credentials.")


def _refuse_bad_issuer(call: Call) -> None:
    issuer = call.input("issuer")
    if isinstance(issuer, str) and not issuer.startswith("https://"):
        raise RefusedError(400, "BadRequest", f"The issuer '{issuer}' must be an https URL.")
    if call.input("audiences") and len(call.input("audiences")) != 1:
        raise RefusedError(400, "BadRequest", "Exactly one audience is allowed.")


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
        name=NameRule(pattern=r"[A-Za-z0-9][\w-]*", shortest=3, longest=128),
        replaces=frozenset({"location"}),
        outputs=_identity_outputs,
    ),
    ResourceType(
        pulumi_type=CREDENTIAL,
        model="azure.mgmt.msi.v2024_11_30.models:FederatedIdentityCredential",
        path=IDENTITY + "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
        name=NameRule(pattern=r"[A-Za-z0-9][\w-]*", shortest=3, longest=120),
        rules=(_refuse_bad_issuer, _refuse_same_subject),
        outputs=lambda call: {"name": call.name},
        serial=lambda identity: identity.rpartition("/federatedIdentityCredentials/")[0],
    ),
]
