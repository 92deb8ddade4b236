"""A stack's resource groups and its budget, which exist before the stack and outlive it.

Deployers then need rights in the groups alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names, names_of, resource_groups, tags_of
from personalize.bootstrap.item import Item, item_at
from personalize.bootstrap.state_store import GROUP_VERSION, LOCK_VERSION

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
    """The groups that are not given, and the budget unless the settings have none."""
    names = names_of(stack, settings)
    body = {"location": settings.location, "tags": tags_of(settings, stack)}
    for path in group_paths(names):
        if path.rpartition("/")[2] in (names.given_training, names.given_serving):
            continue
        yield item_at(f"resource group {path.rpartition('/')[2]}", path, GROUP_VERSION, body)
    if settings.monthly_budget is not None:
        yield _budget(names, settings.monthly_budget, settings.alert_mail, manager)


def group_lock(names: Names) -> Item:
    """The lock of a protected stack's data: no deployer can delete the lake, whatever rights in the group it has.

    The serving group has none: it would keep `up` from replacing pools of nodes.
    """
    group = group_paths(names)[0]
    level = {"level": "CanNotDelete", "notes": "Holds the data and the models of a protected stack."}
    path = f"{group}/providers/Microsoft.Authorization/locks/keep"
    return item_at(f"lock of {names.training_group}", path, LOCK_VERSION, {"properties": level})


def _budget(names: Names, amount: int, mail: str, manager: ResourceManager) -> Item:
    path = f"/subscriptions/{names.subscription}/providers/Microsoft.Consumption/budgets/{names.budget}"

    def body() -> Mapping[str, Any]:
        """Keeps the start of an existing budget, which can't be changed, and names its version (`eTag`)."""
        old = manager.get(path, BUDGET_VERSION) or {}
        start = datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
        period = (old.get("properties") or {}).get("timePeriod") or {"startDate": start}
        version = {"eTag": old["eTag"]} if "eTag" in old else {}
        return {**version, "properties": _terms(amount, mail, resource_groups(names)) | {"timePeriod": period}}

    def settled(found: Mapping[str, Any]) -> bool:
        terms = found["properties"]
        mails = {one for notice in (terms.get("notifications") or {}).values() for one in notice["contactEmails"]}
        groups = ((terms.get("filter") or {}).get("dimensions") or {}).get("values") or ()
        return terms.get("amount") == amount and mails == {mail} and set(groups) == set(resource_groups(names))

    title = "budget"
    return Item(title=title, path=lambda: path, version=BUDGET_VERSION, body=body, settled=settled, optional=NO_BUDGET)


def _terms(amount: int, mail: str, groups: Sequence[str]) -> dict[str, Any]:
    """A monthly amount in the subscription's currency. It sends a mail when 80 % is spent or forecast, and stops
    nothing."""
    notice = {"enabled": True, "operator": "GreaterThan", "threshold": WARN_PERCENT, "contactEmails": [mail]}
    return {
        "category": "Cost",
        "amount": amount,
        "timeGrain": "Monthly",
        "filter": {"dimensions": {"name": "ResourceGroupName", "operator": "In", "values": list(groups)}},
        "notifications": {kind.lower(): notice | {"thresholdType": kind} for kind in ("Actual", "Forecasted")},
    }
