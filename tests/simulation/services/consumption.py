"""Budgets."""

from tests.simulation.resource_manager.resource_type import ResourceType

TYPE = "azure-native:consumption:Budget"


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.consumption.models:Budget",
        path="/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
    )
]
