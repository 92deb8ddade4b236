"""Budgets."""

from tests.simulation.resource_manager.resource_type import NameRule, ResourceType

TYPE = "azure-native:consumption:Budget"


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.consumption.models:Budget",
        path="/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
        name=NameRule(pattern=r"[A-Za-z0-9_-]+", shortest=1, longest=63),
    )
]
