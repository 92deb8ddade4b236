"""All checks of a subscription. They change nothing, and every bad finding has a fix.

What Azure itself refuses within minutes of an `up`, in a sentence that says what to do, is not asked here: names that
are taken, roles, resource providers (`personalize.stack.refusals`).
"""

from collections.abc import Callable

from azure.core.exceptions import ClientAuthenticationError

from azure_clients.credentials import IdentityError
from azure_clients.errors import ManagerRefusedError
from personalize.checks.identity import (
    NOBODY,
    check_databricks_names,
    check_deployer,
    check_identity,
    check_state,
    check_subscription,
)
from personalize.checks.machine import Finding, bad
from personalize.checks.network import check_network
from personalize.checks.region import check_kubernetes, check_sizes
from personalize.checks.subject import Subject

Check = Callable[[Subject], Finding | list[Finding]]
CHECKS: dict[str, Check] = {
    "identity": check_identity,
    "deployer": check_deployer,
    "deployers in Databricks": check_databricks_names,
    "state": check_state,
    "VM sizes": check_sizes,
    "Kubernetes": check_kubernetes,
    "peered network": check_network,
}
"""The checks of an existing subscription, by the name of their finding."""


def examine(subject: Subject) -> list[Finding]:
    """All findings about the subscription; only one if nobody is signed in or the subscription is missing."""
    if found := _placeholders(subject):
        return [found]
    try:
        first = check_subscription(subject)
    except (ClientAuthenticationError, IdentityError, ManagerRefusedError) as error:
        fix = f"az login --tenant {subject.settings.tenant}"
        return [bad("sign-in", str(error).strip().splitlines()[0], "a sign-in to Azure", fix)]
    if not first.ok:
        return [first]
    return [first, *(finding for name, check in CHECKS.items() for finding in _findings(name, check, subject))]


def _findings(name: str, check: Check, subject: Subject) -> list[Finding]:
    try:
        found = check(subject)
    except (ManagerRefusedError, ClientAuthenticationError) as error:
        fix = (
            f"read Azure's message. `.venv/bin/personalize bootstrap --stack {subject.stack}` gives the roles and "
            "registers the resource providers; try again if Azure was busy"
        )
        return [bad(name, str(error).strip().splitlines()[0], "an answer from Azure", fix)]
    return found if isinstance(found, list) else [found]


def _placeholders(subject: Subject) -> Finding | None:
    """A finding if the stack file still has the example's IDs, which are zeros."""
    settings = subject.settings
    ids = {
        "azure.subscription": settings.subscription,
        "azure.tenant": settings.tenant,
        "azure.deployers": next((one.object_id for one in settings.deployers if one.object_id == NOBODY), ""),
    }
    unset = [f"`{name}`" for name, value in ids.items() if value == NOBODY]
    if not unset:
        return None
    fix = (
        f"put your own into Pulumi.{subject.stack}.yaml: `az account show` prints subscription and tenant, "
        "`az ad signed-in-user show --query id` your object ID"
    )
    return bad("stack file", f"{', '.join(unset)} are still the example's zeros", "your own IDs", fix)
