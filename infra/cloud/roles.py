"""Role assignments, with names that do not depend on who creates them."""

from dataclasses import dataclass

from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization

from infra.cloud.names import role_assignment_name
from infra.cloud.role_list import Role
from infra.setting_types import PrincipalType


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A role for a principal on a resource."""

    subscription: str
    scope: Input[str]
    """The resource's ID."""
    role: Role
    principal: Input[str]
    """Object ID."""
    type: PrincipalType = PrincipalType.SERVICE_PRINCIPAL
    """Always sent: by default Azure looks for a user, and does not find a new identity."""


def assign(name: str, grant: Grant, opts: ResourceOptions) -> authorization.RoleAssignment:
    """Assign the role. Its name is the same for every deployer, so that nobody's `up` changes it."""
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
