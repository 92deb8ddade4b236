"""The roles that a deployer needs, in the stack's groups and on the subscription, and the resource providers."""

from collections.abc import Mapping
from typing import Any

from infra.cloud.role_list import Role
from personalize.bootstrap.resources import NAMESPACES, RESOURCES_VERSION, group_paths, unregistered
from personalize.bootstrap.rights import (
    ASSIGNMENTS,
    CONTRIBUTOR,
    ROLE_ADMINISTRATOR,
    ROLE_VERSION,
    deployer_role_id,
    only_roles,
    same_condition,
)
from personalize.checks.machine import Finding
from personalize.checks.subject import Subject, bad, good, remark

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
MAKES = frozenset({OWNER, CONTRIBUTOR})
GIVES = frozenset({OWNER, ACCESS_ADMINISTRATOR, ROLE_ADMINISTRATOR})
WANTED = (
    "Contributor, and Role Based Access Control Administrator, in both resource groups, and the deployers' role on the "
    "subscription (Owner of it is all)"
)


def check_roles(subject: Subject) -> Finding:
    """Whether the signed-in identity may create resources and assign roles, directly or by a group.

    Rights in the stack's groups are enough once these exist; before, they are needed on the subscription.
    """
    own = str(subject.caller.get("oid"))
    filtered = {"$filter": f"assignedTo('{own}')"}
    found = [
        assignment["properties"]
        for assignment in subject.manager.list(f"{subject.subscription}/{ASSIGNMENTS}", ROLE_VERSION, **filtered)
    ]
    groups = group_paths(subject.names)
    missing = [group for group in groups if subject.manager.get(group, RESOURCES_VERSION) is None]
    scopes = (subject.subscription,) if missing else groups
    lacking = [
        f"{name} on {scope.rpartition('/')[2]}"
        for scope in scopes
        for name, enough in (("Contributor", MAKES), ("Role Based Access Control Administrator", GIVES))
        if not _roles(found, scope) & enough
    ]
    if not _roles(found, subject.subscription) & {*MAKES, deployer_role_id(subject.settings.subscription)}:
        lacking.append("the deployers' role on the subscription")
    if lacking:
        fix = (
            f"an owner of the subscription runs `.venv/bin/personalize bootstrap --stack {subject.stack}`, which "
            "creates the groups and gives `azure.deployers` these rights"
        )
        return bad("roles", f"missing: {'; '.join(lacking)}", WANTED, fix)
    giving = [one for one in found if _role(one) in GIVES and any(_covers(scope, one) for scope in scopes)]
    enough = ("", only_roles(*Role))
    if not any(same_condition(one.get("condition"), condition) for one in giving for condition in enough):
        fix = (
            "if `up` may not assign a role, an owner of the subscription runs `.venv/bin/personalize bootstrap --stack "
            f"{subject.stack}`, which renews the condition"
        )
        return remark("roles", "present, but a condition limits which roles may be assigned", WANTED, fix)
    return good("roles", "may create resources and assign roles", WANTED)


def check_providers(subject: Subject) -> Finding:
    """Whether the resource providers of a stack are registered in the subscription."""
    missing = unregistered(subject.manager, subject.settings.subscription)
    wanted = f"{len(NAMESPACES)} resource providers registered"
    if missing:
        fix = (
            f".venv/bin/personalize bootstrap --stack {subject.stack} "
            "(or `az provider register --wait --namespace` for each)"
        )
        return bad("resource providers", f"not registered: {', '.join(missing)}", wanted, fix)
    return good("resource providers", f"all {len(NAMESPACES)}", wanted)


def _roles(found: list[Mapping[str, Any]], scope: str) -> set[str]:
    return {_role(one) for one in found if _covers(scope, one)}


def _role(properties: Mapping[str, Any]) -> str:
    return str(properties.get("roleDefinitionId")).rpartition("/")[2].lower()


def _covers(scope: str, properties: Mapping[str, Any]) -> bool:
    """Whether an assignment applies to all of `scope`: it is on that, or on something around it."""
    own = str(properties.get("scope") or "").lower()
    above = own == "/" or own.startswith("/providers/microsoft.management/")
    return above or scope.lower() == own or scope.lower().startswith(f"{own}/")
