"""Finds what is left of a stack on Azure by tags and names, since its state may be gone."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager
from infra.cloud.names import PROJECT, PROJECT_TAG, READABLE_LENGTH, STACK_TAG, TOKEN_LENGTH, Names
from personalize.bootstrap.names import STATE_GROUP

RESOURCES_VERSION = "2021-04-01"
VAULT_VERSION = "2023-07-01"
LOGS_VERSION = "2023-09-01"
STORAGE_VERSION = "2024-01-01"
TRIES = 10
PAUSE_SECONDS = 30.0
FREE_KINDS = frozenset({"microsoft.alertsmanagement/smartdetectoralertrules", "microsoft.insights/actiongroups"})
"""What Azure itself adds to a group with Application Insights, and leaves there (Microsoft, "Smart detection")."""
GROUPS = ("rg-training", "rg-serving", "rg-databricks", "rg-nodes")
STATE_STAYS = (
    f"it holds the state of every stack of the subscription, for some cents a month. After the last stack, run "
    f"`az lock delete --name keep --resource-group {STATE_GROUP}`, then `az group delete --name {STATE_GROUP}`. Its "
    "Key Vault cannot be purged: for 90 days its name stays taken, and `bootstrap` recovers it"
)
ALWAYS = (
    "Unity Catalog's entry of the Databricks workspace stays in the account console; it costs nothing",
    "NetworkWatcherRG belongs to the subscription, where Azure itself made it; it costs nothing",
)
"""What `destroy` cannot delete, and nobody needs to."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that is left: whether it costs money, and why it stays or how to delete it."""

    name: str
    kind: str
    billable: bool
    why: str


def leftovers(manager: ResourceManager, names: Names) -> list[Leftover]:
    """Everything that is left of the stack, what costs money first. Raises `ManagerRefusedError`."""
    path, stack = f"/subscriptions/{names.subscription}", names.stack
    found = [
        *_groups(manager, path, names),
        *_resources(manager, path, stack),
        *_vaults(manager, path, stack),
        *_logs(manager, path, stack),
    ]
    return sorted(found, key=lambda one: (not one.billable, one.kind, one.name))


def _groups(manager: ResourceManager, path: str, names: Names) -> Iterator[Leftover]:
    stack, given = names.stack, (names.given_training, names.given_serving)
    for group in manager.list(f"{path}/resourcegroups", RESOURCES_VERSION):
        name = str(group["name"])
        if name == STATE_GROUP:
            yield Leftover(name=name, kind="resource group", billable=False, why=STATE_STAYS)
            continue
        if name in given:
            continue
        if name in (names.training_group, names.serving_group):
            yield from _contents(manager, f"{path}/resourceGroups/{name}", name)
            continue
        tagged = group.get("tags") or {}
        if not (_ours(tagged, stack) or (_named(name, stack) and STACK_TAG not in tagged)):
            continue
        manager_of_it = str(group.get("managedBy") or "")
        if manager_of_it:
            why = f"delete {manager_of_it.rpartition('/')[2]}, to which the group belongs"
        else:
            why = f"`az group delete --name {name}` deletes it with everything in it"
        yield Leftover(name=name, kind="resource group", billable=True, why=why)


def _contents(manager: ResourceManager, path: str, name: str) -> Iterator[Leftover]:
    """A group that `bootstrap` or the first `up` created, and what is in it without the stack's tags."""
    why = (
        "it stays for the next `up`, with the deployers' rights in it and the budget for it. When the stack is gone "
        f"for good, an owner deletes it: `az group delete --name {name}`"
    )
    yield Leftover(name=name, kind="resource group", billable=False, why=why)
    for resource in manager.list(f"{path}/resources", RESOURCES_VERSION):
        if PROJECT_TAG in (resource.get("tags") or {}):
            continue
        kind = str(resource["type"])
        why = f"it is not the stack's own; `az resource delete --ids {resource['id']}` deletes it"
        yield Leftover(name=str(resource["name"]), kind=kind, billable=kind.lower() not in FREE_KINDS, why=why)


def _resources(manager: ResourceManager, path: str, stack: str) -> Iterator[Leftover]:
    query = {"$filter": f"tagName eq '{PROJECT_TAG}' and tagValue eq '{PROJECT}'"}
    for resource in manager.list(f"{path}/resources", RESOURCES_VERSION, **query):
        if _ours(resource.get("tags") or {}, stack):
            why = f"`az resource delete --ids {resource['id']}` deletes it"
            yield Leftover(name=str(resource["name"]), kind=str(resource["type"]), billable=True, why=why)


def _vaults(manager: ResourceManager, path: str, stack: str) -> Iterator[Leftover]:
    for vault in manager.list(f"{path}/providers/Microsoft.KeyVault/deletedVaults", VAULT_VERSION):
        properties = vault.get("properties") or {}
        if _ours(properties.get("tags") or {}, stack):
            until = str(properties.get("scheduledPurgeDate") or "some days from now")[:10]
            why = f"soft-deleted until {until}, its name is taken until then; it costs nothing"
            yield Leftover(name=str(vault["name"]), kind="Key Vault", billable=False, why=why)


def _logs(manager: ResourceManager, path: str, stack: str) -> Iterator[Leftover]:
    """Deleted workspaces. A subscription that never had one may refuse the request."""
    try:
        deleted = list(manager.list(f"{path}/providers/Microsoft.OperationalInsights/deletedWorkspaces", LOGS_VERSION))
    except ManagerRefusedError:
        return
    for workspace in deleted:
        if _named(str(workspace["name"]), stack, "logs"):
            why = "soft-deleted for 14 days, its name is taken until then; it costs nothing"
            yield Leftover(name=str(workspace["name"]), kind="Log Analytics", billable=False, why=why)


def _ours(tags: Mapping[str, Any], stack: str) -> bool:
    return tags.get(PROJECT_TAG) == PROJECT and tags.get(STACK_TAG) == stack


def _named(name: str, stack: str, *prefixes: str) -> bool:
    """Whether a name belongs to a stack of this name, with any suffix."""
    readable = re.sub("[^a-z0-9]", "", stack.lower())[:READABLE_LENGTH]
    begin = "|".join(prefixes or GROUPS)
    return re.fullmatch(f"({begin})-{readable}[a-z2-7]{{{TOKEN_LENGTH}}}", name) is not None


def settled(
    look: Callable[[], list[Leftover]], say: Callable[[str], None], pause: Callable[[float], None]
) -> list[Leftover]:
    """The result of `look` when nothing costs money any more, or after some minutes, since Azure's lists lag."""
    found = look()
    for _ in range(TRIES):
        costing = [one for one in found if one.billable]
        if not costing:
            break
        say(f"Azure still lists {len(costing)} thing(s) that cost money; checking again in {PAUSE_SECONDS:.0f} s ...")
        pause(PAUSE_SECONDS)
        found = look()
    return found
