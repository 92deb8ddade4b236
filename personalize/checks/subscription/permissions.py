"""The roles that a deployer needs on the subscription, and its resource providers."""

from collections.abc import Mapping
from typing import Any

from personalize.bootstrap.providers import NAMESPACES, unregistered
from personalize.checks.doctor import Finding
from personalize.checks.subscription.subject import Subject, bad, good, remark, unmade

VERSION = "2022-04-01"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
MAKES = frozenset({OWNER, CONTRIBUTOR})
GIVES = frozenset({OWNER, ACCESS_ADMINISTRATOR, ROLE_ADMINISTRATOR})
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"


def check_roles(subject: Subject) -> Finding:
    """Whether the signed-in identity may create resources and assign roles, directly or by a group."""
    own = str(subject.caller.get("oid"))
    filtered = {"$filter": f"assignedTo('{own}')"}
    found = [
        assignment["properties"]
        for assignment in subject.manager.list(f"{subject.subscription}{ASSIGNMENTS}", VERSION, **filtered)
        if _covers(subject.subscription, str(assignment["properties"].get("scope") or ""))
    ]
    roles = {_role(properties) for properties in found}
    wanted = "Contributor, and Role Based Access Control Administrator, on the subscription (Owner is both)"
    lacking = [
        name
        for name, enough in (("Contributor", MAKES), ("Role Based Access Control Administrator", GIVES))
        if not roles & enough
    ]
    if lacking:
        fix = "; ".join(
            f'az role assignment create --assignee {own} --role "{name}" --scope {subject.subscription}'
            for name in lacking
        )
        return bad("roles", f"{' and '.join(lacking)} missing", wanted, fix)
    limited = [properties for properties in found if _role(properties) in GIVES and properties.get("condition")]
    if limited and not roles & {OWNER}:
        fix = "if `up` may not assign a role, add the roles in infra/cloud/role_list.py to the condition"
        return remark("roles", "present, but a condition limits which roles may be assigned", wanted, fix)
    return good("roles", "may create resources and assign roles", wanted)


def check_providers(subject: Subject) -> Finding:
    """Whether the resource providers of a stack are registered in the subscription."""
    missing = unregistered(subject.manager, subject.settings.subscription)
    wanted = f"{len(NAMESPACES)} resource providers registered"
    if missing:
        fix = (
            f".venv/bin/personalize bootstrap --stack {subject.stack} "
            "(or `az provider register --wait --namespace` for each)"
        )
        return unmade("resource providers", f"not registered: {', '.join(missing)}", wanted, fix)
    return good("resource providers", f"all {len(NAMESPACES)}", wanted)


def _role(properties: Mapping[str, Any]) -> str:
    return str(properties.get("roleDefinitionId")).rpartition("/")[2].lower()


def _covers(subscription: str, scope: str) -> bool:
    """Whether a role on `scope` applies to the whole subscription: it is that, a management group, or the root."""
    above = scope == "/" or scope.lower().startswith("/providers/microsoft.management/")
    return above or scope.lower() == subscription.lower()
