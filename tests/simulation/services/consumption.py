"""Budgets."""

from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType

TYPE = "azure-native:consumption:Budget"


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


def _outputs(call: Call) -> dict[str, Any]:
    return {"name": call.name}


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.consumption.models:Budget",
        path="/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
        name=NameRule(pattern=r"[A-Za-z0-9_-]+", shortest=1, longest=63),
        fixed=frozenset({"timeGrain"}),
        rules=(_refuse_first_day,),
        outputs=_outputs,
    )
]
