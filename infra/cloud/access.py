"""Who may do what: role assignments, each with the narrowest built-in role that works.

Whatever needs a role depends on its assignment, so that it is deleted before it.
"""

from collections.abc import Sequence

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization

from infra.azure_settings import Deployer, PrincipalType
from infra.cloud.names import role_assignment_name
from infra.cloud.role_list import Role


def assign(
    name: str,
    parent: pulumi.Resource,
    *,
    scope: Input[str],
    role: Role,
    principal: Input[str],
    subscription: str,
    kind: PrincipalType = PrincipalType.SERVICE_PRINCIPAL,
) -> authorization.RoleAssignment:
    """Give a role on the resource `scope` to a principal, both by ID.

    The assignment's name is the same for every deployer, so that nobody's `up` changes it. The principal's kind is
    always sent: by default Azure looks for a user, and does not find a new identity.
    """
    return authorization.RoleAssignment(
        name,
        role_assignment_name=Output.all(scope, principal).apply(
            lambda known: role_assignment_name(known[0], role, known[1])
        ),
        scope=scope,
        role_definition_id=f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        principal_id=principal,
        principal_type=authorization.PrincipalType(kind.value),
        opts=ResourceOptions(parent=parent),
    )


def assign_deployers(
    name: str,
    parent: pulumi.Resource,
    deployers: Sequence[Deployer],
    *,
    scope: Input[str],
    role: Role,
    subscription: str,
) -> list[pulumi.Resource]:
    """Give a role on the resource `scope` to each deployer."""
    return [
        assign(
            f"{one.object_id}-{name}",
            parent,
            scope=scope,
            role=role,
            principal=one.object_id,
            subscription=subscription,
            kind=one.type,
        )
        for one in deployers
    ]
