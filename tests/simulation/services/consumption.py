"""Budgets."""

import datetime as dt
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType

TYPE = "azure-native:consumption:Budget"
MAX_NOTIFICATIONS = 5


def _refuse_first_day(call: Call) -> None:
    """Two days pass before a new subscription has cost data, and budgets.

    Sources: learn.microsoft.com/azure/cost-management-billing/costs/tutorial-acm-create-budgets for the rule, and
    Azure/terraform-azurerm-lz-vending#471 for the words. The status is that of other refusals of this service.
    """
    if not call.world.setting("budgets_allowed"):
        message = (
            f"Cost management data is not supported for subscription(s) {call.world.setting('subscription')} in the "
            "provided api-version. Please use api-version 2019-10-01 or later."
        )
        raise RefusedError(400, "BadRequest", message)


def _refuse_start(call: Call) -> None:
    text = call.input("timePeriod.startDate", "")
    start = dt.datetime.fromisoformat(text)
    this_month = dt.datetime.now(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if start.day != 1:
        raise RefusedError(400, "BadRequest", f"The start date {text} must be the first of a month.")
    if call.old is None and start.date() < this_month.date():
        raise RefusedError(400, "BadRequest", f"The start date {text} is before the current month.")


def _refuse_notifications(call: Call) -> None:
    notifications = call.input("notifications", {})
    if len(notifications) > MAX_NOTIFICATIONS:
        raise RefusedError(400, "BadRequest", f"A budget has at most {MAX_NOTIFICATIONS} notifications.")
    for name, notification in notifications.items():
        if not any(notification.get(key) for key in ("contactEmails", "contactRoles", "contactGroups")):
            raise RefusedError(400, "BadRequest", f"The notification '{name}' reaches nobody.")


def _outputs(call: Call) -> dict[str, Any]:
    return {"name": call.name}


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.consumption.models:Budget",
        path="/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
        name=NameRule(pattern=r"[A-Za-z0-9_-]+", shortest=1, longest=63),
        fixed=frozenset({"timeGrain"}),
        rules=(_refuse_first_day, _refuse_start, _refuse_notifications),
        outputs=_outputs,
    )
]
