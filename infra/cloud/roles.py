"""Role assignments, whose names do not depend on who creates them."""

from dataclasses import dataclass

from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization

from infra.azure_settings import PrincipalType
from infra.cloud.names import role_assignment_name
from infra.cloud.role_list import Role


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
