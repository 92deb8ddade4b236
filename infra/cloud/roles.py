"""The built-in roles that the stack gives out, and nothing wider: the policy pack holds the same list."""

from dataclasses import dataclass
from enum import StrEnum

from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization

from infra.cloud.names import role_assignment_name
from infra.cloud.settings import PrincipalType


class Role(StrEnum):
    """Ids of built-in roles, from Microsoft's "Azure built-in roles"."""

    REGISTRY_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    REGISTRY_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
    BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    FILE_DATA_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
    DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
    CLUSTER_ADMIN = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"
    CLUSTER_USER = "4abbcc35-e782-43d8-92c5-2d3f1bd2253f"
    SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A role for somebody on something."""

    subscription: str
    scope: Input[str]
    """Id of the resource that the role is on."""
    role: Role
    principal: Input[str]
    """Object id."""
    type: PrincipalType = PrincipalType.SERVICE_PRINCIPAL
    """Always said: Azure takes the principal for a user otherwise, and does not find a new identity."""


def assign(name: str, grant: Grant, opts: ResourceOptions) -> authorization.RoleAssignment:
    """Give the role. Its name is the same whoever runs this, so that nobody's `up` changes it."""
    definition = f"/subscriptions/{grant.subscription}/providers/Microsoft.Authorization/roleDefinitions/{grant.role}"
    physical = Output.all(grant.scope, grant.principal).apply(
        lambda known: role_assignment_name(known[0], grant.role, known[1])
    )
    return authorization.RoleAssignment(
        name,
        role_assignment_name=physical,
        scope=grant.scope,
        role_definition_id=definition,
        principal_id=grant.principal,
        principal_type=authorization.PrincipalType(grant.type.value),
        opts=opts,
    )
