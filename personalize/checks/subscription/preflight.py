"""All checks of a subscription in one go. Nothing is changed; every bad finding says what to do."""

from collections.abc import Callable

from azure.core.exceptions import ClientAuthenticationError

from azure_clients.credentials import IdentityError
from azure_clients.errors import ManagerRefusedError
from personalize.checks.doctor import Finding
from personalize.checks.subscription.free_names import check_names
from personalize.checks.subscription.identity import NOBODY, check_deployer, check_identity, check_subscription
from personalize.checks.subscription.network import check_network
from personalize.checks.subscription.permissions import check_providers, check_roles
from personalize.checks.subscription.services import check_builds, check_kubernetes, check_metastore, check_state
from personalize.checks.subscription.sizes import check_sizes
from personalize.checks.subscription.subject import Subject, bad, unmade

UNREGISTERED = ("MissingRegistrationForLocation", "MissingSubscriptionRegistration", "SubscriptionNotRegistered")
"""What Resource Manager and providers answer where a provider is not registered ("Resolve errors for resource provider
registration", Microsoft)."""
Check = Callable[[Subject], Finding | list[Finding]]
CHECKS: dict[str, Check] = {
    "identity": check_identity,
    "deployer": check_deployer,
    "roles": check_roles,
    "resource providers": check_providers,
    "VM sizes": check_sizes,
    "Kubernetes": check_kubernetes,
    "image builds": check_builds,
    "metastore": check_metastore,
    "state": check_state,
    "names": check_names,
    "peered network": check_network,
}
"""What is looked at in a subscription that is there, by the name under which it is reported."""


def examine(subject: Subject) -> list[Finding]:
    """Every finding about the subscription. Without a sign-in, or without the subscription, there are no others."""
    if found := _placeholders(subject):
        return [found]
    try:
        first = check_subscription(subject)
    except (ClientAuthenticationError, IdentityError, ManagerRefusedError) as error:
        fix = f"az login --tenant {subject.settings.tenant}"
        return [bad("sign-in", str(error).strip().splitlines()[0], "somebody who is signed in to Azure", fix)]
    if not first.ok:
        return [first]
    return [first, *(finding for name, check in CHECKS.items() for finding in _findings(name, check, subject))]


def _findings(name: str, check: Check, subject: Subject) -> list[Finding]:
    try:
        found = check(subject)
    except (ManagerRefusedError, ClientAuthenticationError) as error:
        if isinstance(error, ManagerRefusedError) and error.code in UNREGISTERED:
            fix = f".venv/bin/personalize bootstrap --stack {subject.stack}, which registers it; then look again"
            return [unmade(name, "its resource provider is not registered yet", "an answer from Azure", fix)]
        fix = "see what Azure says; with the roles above it answers. Try again if it was busy"
        return [bad(name, str(error).strip().splitlines()[0], "an answer from Azure", fix)]
    return found if isinstance(found, list) else [found]


def _placeholders(subject: Subject) -> Finding | None:
    """The stack file as it comes: its ids are all zeros."""
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
        f"put yours into Pulumi.{subject.stack}.yaml: `az account show` tells subscription and tenant, "
        "`az ad signed-in-user show --query id` your own object id"
    )
    return bad("stack file", f"{', '.join(unset)} are the example's zeros", "your own ids", fix)
