"""Who exists in the simulated Entra ID, and role assignments: refused for principals that don't exist yet, and without
effect until they have propagated."""

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.cloud import Call, Rule, dig
from tests.simulation.published import ROLES, role_name
from tests.simulation.world import Record, RefusedError, World, key_of

ROLE_ASSIGNMENT = "azure-native:authorization:RoleAssignment"
GIVERS = ("Owner", "User Access Administrator", "Role Based Access Control Administrator")
"""Roles with the actions on role assignments.

Source: learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged, April 2026.
"""
CLAUSE = re.compile(
    r"\(\(!\(ActionMatches\{'Microsoft\.Authorization/roleAssignments/(?P<action>write|delete)'\}\)\) OR "
    r"\(@(Request|Resource)\[Microsoft\.Authorization/roleAssignments:RoleDefinitionId\] "
    r"ForAnyOfAnyValues:GuidEquals \{(?P<roles>[^}]*)\}\)\)"
)
"""The form "Constrain roles" of a condition: other forms are refused here, not understood.

Source: learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples, November 2025.
"""
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
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
    own = call.kept("identity.principalId") or str(uuid.uuid4())
    return {"identity": {"type": wanted, "principalId": own, "tenantId": call.world.setting("tenant")}}


def _refuse_giver(action: str) -> Rule:
    """Raise unless the caller may assign or remove this role on this scope."""

    def refuse(call: Call) -> None:
        caller, scope = call.caller, str(call.input("scope"))
        role = str(call.input("roleDefinitionId")).rpartition("/")[2].lower()
        conditions = list(_conditions(call.world, caller, scope))
        if any(not condition or role in _allowed(condition, action) for condition in conditions):
            return
        limit = " or an ABAC condition not fulfilled" if conditions else ""
        message = (
            f"The client '{caller}' with object id '{caller}' does not have authorization{limit} to perform action "
            f"'Microsoft.Authorization/roleAssignments/{action}' over scope '{call.id}' or the scope is invalid. If "
            "access was recently granted, please refresh your credentials."
        )
        raise RefusedError(403, "AuthorizationFailed", message)

    return refuse


def _conditions(world: World, principal: str, scope: str) -> Iterator[str]:
    """The condition of each assignment that lets `principal` give roles on `scope`; empty if it has none."""
    giving = {ROLES[name] for name in GIVERS}
    deployers = {entry["object_id"].lower() for entry in world.setting("deployers")}
    if principal.lower() in deployers and giving & set(world.setting("deployer_roles")):
        yield ""
    for record in world.all(ROLE_ASSIGNMENT):
        if _holds(world, record, principal, scope) and _role(record) in giving:
            yield str(record.inputs.get("condition") or "")


def _allowed(condition: str, action: str) -> set[str]:
    """The roles that a condition lets somebody write or delete."""
    clauses = {found["action"]: found["roles"] for found in CLAUSE.finditer(condition)}
    if CLAUSE.sub("", condition).strip() not in {"", "AND"} or not clauses:
        raise RefusedError(400, "InvalidCondition", f"The simulation does not know this condition: {condition}")
    return {role.strip().lower() for role in clauses.get(action, "").split(",")}


def _refuse_unknown_role(call: Call) -> None:
    """A role of one's own is not known everywhere at once (see `NOT_KNOWN_SECONDS` in the product)."""
    definition = str(call.input("roleDefinitionId"))
    own = call.world.get(definition)
    replicating = call.world.setting("replication_seconds") * call.world.setting("pace")
    if role_name(definition) is None and (own is None or time.time() < own.created + replicating):
        message = f"The specified role definition with ID '{definition.rpartition('/')[2]}' does not exist."
        raise RefusedError(404, "RoleDefinitionDoesNotExist", message)


def _refuse_unknown_principal(call: Call) -> None:
    wanted = str(call.input("principalId")).lower()
    kind = call.input("principalType", "User")
    principal = principals(call.world).get(wanted)
    if principal is None:
        raise RefusedError(400, "PrincipalNotFound", f"Principal {wanted} does not exist in the directory.")
    replicated = principal.since + call.world.setting("replication_seconds") * call.world.setting("pace")
    if kind != SERVICE_PRINCIPAL and principal.since and time.time() < replicated:
        message = f"Principal {wanted} does not exist in the directory yet; set principalType if it is new."
        raise RefusedError(400, "PrincipalNotFound", message)
    if kind != principal.type:
        message = f"The principal {wanted} is a {principal.type}, but principalType is {kind}."
        raise RefusedError(400, "UnmatchedPrincipalType", message)


def _refuse_same_assignment(call: Call) -> None:
    for other in call.world.all(ROLE_ASSIGNMENT):
        same = all(
            str(other.inputs.get(name, "")).lower().strip("/") == str(call.input(name, "")).lower().strip("/")
            for name in ("scope", "principalId", "roleDefinitionId")
        )
        if same and key_of(other.id) != key_of(call.id):
            raise RefusedError(409, "RoleAssignmentExists", "The role assignment already exists.")


def _holds(world: World, record: Record, principal: str, scope: str) -> bool:
    """Whether an assignment is the principal's, reaches the scope and has propagated."""
    delay = world.setting("propagation_seconds") * world.setting("pace")
    own = str(record.inputs["principalId"]).lower() == principal.lower()
    return own and _reaches(record, scope) and record.created + delay <= time.time()


def _role(record: Record) -> str:
    return str(record.inputs["roleDefinitionId"]).rpartition("/")[2].lower()


def may(world: World, principal: str, scope: str, *names: str) -> bool:
    """Whether `principal` has one of the built-in roles `names` on `scope` now.

    Includes the roles that deployers had on the subscription before there was a stack.
    """
    deployers = {entry["object_id"].lower() for entry in world.setting("deployers")}
    given = set(world.setting("deployer_roles")) if principal.lower() in deployers else set()
    given |= {_role(record) for record in world.all(ROLE_ASSIGNMENT) if _holds(world, record, principal, scope)}
    return any(ROLES[name] in given for name in names)


def _reaches(record: Record, scope: str) -> bool:
    own = key_of(str(record.inputs["scope"]))
    return key_of(scope) == own or key_of(scope).startswith(own + "/")


RULES: Mapping[str, Mapping[str, Any]] = {
    ROLE_ASSIGNMENT: {
        "replaces": frozenset({"principalId", "roleDefinitionId", "principalType"}),
        "rules": (_refuse_giver("write"), _refuse_unknown_role, _refuse_unknown_principal, _refuse_same_assignment),
        "delete_rules": (_refuse_giver("delete"),),
    }
}
