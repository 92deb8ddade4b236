"""The resources of the bootstrap: the state backend, a stack's groups and budget, and how each is created.

The groups exist before the stack and outlive it, so deployers need rights in them alone.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager
from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names, names_of, resource_groups, tags_of
from personalize.bootstrap.names import STATE_GROUP, StateNames

EXISTS = "RoleAssignmentExists"
"""Azure's error code for a role that was assigned before, under another name."""
DELETED = "ConflictError"
"""Azure's error code if a deleted Key Vault holds the name (alan-turing-institute/data-safe-haven#2523 quotes it)."""


class State(StrEnum):
    """The result for an item."""

    THERE = "there"
    MADE = "made"
    RECOVERED = "recovered"
    MISSING = "would be made"
    REFUSED = "refused"


@dataclass(frozen=True)
class Item:
    """A resource at a path, which is None while it depends on something that does not exist yet."""

    title: str
    path: str | None
    version: str
    body: Mapping[str, Any]
    settled: Callable[[Mapping[str, Any]], bool] = lambda _: True
    """Whether an existing resource has the right values, for one that Azure creates with others."""
    recovery: Mapping[str, Any] | None = None
    """The body that recovers it with its contents if it was deleted, for one whose name then stays taken."""
    optional: str = ""
    """What to do without it if Azure refuses it; empty if nothing works without it."""

    def ensure(self, manager: ResourceManager, *, dry_run: bool) -> State:
        """Create or recover it, unless it exists or `dry_run` is given.

        Raises `ManagerRefusedError`, or `PersonalizationError` if a deleted one is not recovered.
        """
        found = None if self.path is None else manager.get(self.path, self.version)
        if found is not None and self.settled(found):
            return State.THERE
        if dry_run or self.path is None:
            return State.MISSING
        try:
            manager.put(self.path, self.version, self.body)
        except ManagerRefusedError as error:
            if error.code == EXISTS:
                return State.THERE
            if error.code == DELETED and self.recovery is not None:
                return self._recover(manager, self.path, self.recovery)
            raise
        return State.MADE

    def _recover(self, manager: ResourceManager, path: str, body: Mapping[str, Any]) -> State:
        try:
            manager.put(path, self.version, body)
        except ManagerRefusedError as error:
            name = path.rpartition("/")[2]
            raise PersonalizationError(
                f"{name} was deleted, still holds its name, and was not recovered: {error} Run `az keyvault recover "
                f"--name {name}`, which recovers it in the region where it was; then run `bootstrap` again."
            ) from error
        return State.RECOVERED


NAMESPACES = (
    "Microsoft.AlertsManagement",
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.Databricks",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)
"""The namespaces of all resources of a stack or of the bootstrap."""
REGISTERED = "Registered"
ASKED_AT_ONCE = 7


def provider_path(subscription: str, namespace: str) -> str:
    """The Resource Manager's path of a provider's registration."""
    return f"/subscriptions/{subscription}/providers/{namespace}"


def unregistered(manager: ResourceManager, subscription: str) -> list[str]:
    """The providers that are not registered yet. Raises `ManagerRefusedError`."""

    def state(namespace: str) -> str:
        found = manager.get(provider_path(subscription, namespace), RESOURCES_VERSION) or {}
        return str(found.get("registrationState"))

    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        states = list(pool.map(state, NAMESPACES))
    return [namespace for namespace, found in zip(NAMESPACES, states, strict=True) if found != REGISTERED]


RESOURCES_VERSION = "2021-04-01"
"""Of groups, of their resources, and of the registration of providers."""
STORAGE_VERSION = "2024-01-01"
VAULT_VERSION = "2023-07-01"
LOCK_VERSION = "2020-05-01"
KEPT_DAYS = 30
VAULT_SKU = {"family": "A", "name": "standard"}
KEY_BITS = 3072
TAGS = {"project": "personalization", "purpose": "state"}


def state_store(names: StateNames, tenant: str, location: str) -> Iterator[Item]:
    """The parts of the state backend, in the order of their creation."""
    group, account = names.group_path, names.account_path
    place = {"location": location, "tags": TAGS}
    yield Item(f"resource group {STATE_GROUP}", group, RESOURCES_VERSION, place)
    keyless = {
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": False,
        "defaultToOAuthAuthentication": True,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
    }
    outlives_its_region = {"kind": "StorageV2", "sku": {"name": "Standard_GRS"}}
    body = place | outlives_its_region | {"properties": keyless}
    yield Item(f"storage account {names.account}", account, STORAGE_VERSION, body)
    kept = {"enabled": True, "days": KEPT_DAYS}
    versions = {"isVersioningEnabled": True, "deleteRetentionPolicy": kept, "containerDeleteRetentionPolicy": kept}
    yield Item(
        "old versions of the state",
        f"{account}/blobServices/default",
        STORAGE_VERSION,
        {"properties": versions},
        settled=lambda found: bool(found["properties"].get("isVersioningEnabled")),
    )
    private = {"properties": {"publicAccess": "None"}}
    yield Item(f"container {names.container}", names.container_path, STORAGE_VERSION, private)
    own = {"tenantId": tenant, "sku": VAULT_SKU}
    # No state can be read without the key, so it can't be purged; a deleted vault comes back as it was, with its keys
    # but without the roles on it ("Key Vault recovery management", Microsoft).
    guarded = {"enableRbacAuthorization": True, "enableSoftDelete": True, "enablePurgeProtection": True}
    yield Item(
        f"Key Vault {names.vault}",
        names.vault_path,
        VAULT_VERSION,
        place | {"properties": own | guarded},
        recovery={"location": location, "properties": own | {"createMode": "recover"}},
    )
    key = {"kty": "RSA", "keySize": KEY_BITS, "keyOps": ["encrypt", "decrypt", "wrapKey", "unwrapKey"]}
    yield Item(f"key {names.key}", names.key_path, VAULT_VERSION, {"properties": key})
    yield _lock("lock against deletion", group, "Holds Pulumi's state of every stack.")


def _lock(title: str, group: str, notes: str) -> Item:
    path = f"{group}/providers/Microsoft.Authorization/locks/keep"
    return Item(title, path, LOCK_VERSION, {"properties": {"level": "CanNotDelete", "notes": notes}})


BUDGET_VERSION = "2024-08-01"
WARN_PERCENT = 80
NO_BUDGET = (
    "Everything else goes on without it. A new subscription has budgets after up to 48 hours; run `bootstrap` again "
    "then, as the subscription's owner, or set `azure.monthly_budget: null` if its offer has none."
)
"""Microsoft, "Tutorial: Create and manage budgets": "you can't immediately create a budget for it. It might take up to
48 hours". Azure refuses with "Cost management data is not supported for subscription(s)"
(Azure/terraform-azurerm-lz-vending#471), and for offers without budgets with "not associated with a valid offer type"
(azure-powershell#11642)."""


def group_paths(names: Names) -> tuple[str, str]:
    """The groups for training and serving."""
    at = f"/subscriptions/{names.subscription}/resourceGroups"
    return f"{at}/{names.training_group}", f"{at}/{names.serving_group}"


def stack_groups(stack: str, settings: AzureSettings, manager: ResourceManager) -> Iterator[Item]:
    """The groups, and the budget unless the settings have none."""
    names = names_of(stack, settings)
    body = {"location": settings.location, "tags": tags_of(settings, stack)}
    for path in group_paths(names):
        yield Item(f"resource group {path.rpartition('/')[2]}", path, RESOURCES_VERSION, body)
    if settings.monthly_budget is not None:
        yield _budget(names, settings.monthly_budget, settings.alert_mail, manager)


def group_lock(names: Names) -> Item:
    """The lock of a protected stack's data: no deployer can delete the lake, whatever rights in the group it has.

    The serving group has none: it would keep `up` from replacing pools of nodes.
    """
    notes = "Holds the data and the models of a protected stack."
    return _lock(f"lock of {names.training_group}", group_paths(names)[0], notes)


def _budget(names: Names, amount: int, mail: str, manager: ResourceManager) -> Item:
    """Keeps the start of an existing budget, which can't be changed, and names its version (`eTag`)."""
    path = f"/subscriptions/{names.subscription}/providers/Microsoft.Consumption/budgets/{names.budget}"
    old = manager.get(path, BUDGET_VERSION) or {}
    start = datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
    period = (old.get("properties") or {}).get("timePeriod") or {"startDate": start}
    version = {"eTag": old["eTag"]} if "eTag" in old else {}
    # It sends a mail when 80 % of the amount, in the subscription's currency, is spent or forecast, and stops nothing.
    notice = {"enabled": True, "operator": "GreaterThan", "threshold": WARN_PERCENT, "contactEmails": [mail]}
    groups = {"name": "ResourceGroupName", "operator": "In", "values": [*resource_groups(names)]}
    wanted = {
        "category": "Cost",
        "amount": amount,
        "timeGrain": "Monthly",
        "filter": {"dimensions": groups},
        "notifications": {kind.lower(): notice | {"thresholdType": kind} for kind in ("Actual", "Forecasted")},
        "timePeriod": period,
    }
    body = {**version, "properties": wanted}

    def settled(found: Mapping[str, Any]) -> bool:
        terms = found["properties"]
        mails = {one for notice in (terms.get("notifications") or {}).values() for one in notice["contactEmails"]}
        groups = ((terms.get("filter") or {}).get("dimensions") or {}).get("values") or ()
        return terms.get("amount") == amount and mails == {mail} and set(groups) == set(resource_groups(names))

    return Item("budget", path, BUDGET_VERSION, body, settled=settled, optional=NO_BUDGET)
