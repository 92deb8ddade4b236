"""The budget. It sends a mail when 80 % is spent or forecast, and stops nothing by itself.

A step, not a resource of Azure's provider: on a subscription's first days Azure refuses budgets, and an `up` goes on
without one.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from azure_clients.credentials import resource_manager
from azure_clients.errors import ManagerRefusedError
from steps.azure.azure_step import AzureStep
from steps.descriptions.budget import AZURE, AzureInputs, Outputs
from steps.provider.step import Context, Created, Difference, State

VERSION = "2024-08-01"
WARN_PERCENT = 80
NO_COSTS = ("cost management", "offer type")
"""In Azure's refusals for a subscription without cost data: a new one ("Cost management data is not supported for
subscription(s)", Azure/terraform-azurerm-lz-vending#471) or an offer without any ("Cost Management supports only
Enterprise Agreement ... not associated with a valid offer type", azure-powershell#11642)."""
NO_COSTS_STATUS = frozenset({400, 404, 422})


class Budget(AzureStep[AzureInputs, Outputs]):
    """Creates the budget, or says why there is none yet; then each `up` tries again."""

    description = AZURE

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Create or change it; raises `ManagerRefusedError` for any other reason than missing cost data."""
        manager, path = resource_manager(inputs.tenant), _path(inputs)
        missing = ""
        try:
            manager.put(path, VERSION, _body(inputs, manager.get(path, VERSION) or {}))
        except ManagerRefusedError as error:
            if error.status not in NO_COSTS_STATUS or not any(words in str(error).lower() for words in NO_COSTS):
                raise
            missing = (
                f"There is no budget yet: {error} A new subscription has budgets after up to 48 hours; run `up` again "
                "then, or set `azure.monthly_budget: null` if its offer has none."
            )
            context.report(missing)
        return Created(inputs.budget_name, Outputs(budget_missing=missing))

    def diff(self, old: State, new: State) -> Difference:
        """As for any step, but a budget that is missing is tried again."""
        found = super().diff(old, new)
        return Difference(found.changed | {"amount"}, found.replaces) if old.get("budget_missing") else found

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if somebody deleted it."""
        known, inputs = self.known(state), self.parse(state)
        del identity, context
        found = resource_manager(inputs.tenant).get(_path(inputs), VERSION)
        return known if found or known.budget_missing else None

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete it."""
        del identity, context
        if self.known(state).budget_missing:
            return
        inputs = self.parse(state)
        resource_manager(inputs.tenant).delete(_path(inputs), VERSION)


def _path(inputs: AzureInputs) -> str:
    return f"/subscriptions/{inputs.subscription}/providers/Microsoft.Consumption/budgets/{inputs.budget_name}"


def _body(inputs: AzureInputs, existing: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent. Azure rejects a changed start and an outdated tag, so both are those of an existing budget."""
    this_month = {"startDate": datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")}
    properties = {
        "amount": inputs.amount,
        "category": "Cost",
        "timeGrain": "Monthly",
        "timePeriod": (existing.get("properties") or {}).get("timePeriod") or this_month,
        "filter": {"dimensions": {"name": "ResourceGroupName", "operator": "In", "values": list(inputs.groups)}},
        "notifications": {
            kind.lower(): {
                "enabled": True,
                "operator": "GreaterThan",
                "threshold": WARN_PERCENT,
                "thresholdType": kind,
                "contactEmails": [inputs.mail],
            }
            for kind in ("Actual", "Forecasted")
        },
    }
    tag = existing.get("eTag")
    return {"properties": properties, **({"eTag": tag} if tag else {})}
