"""Container registries."""

from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services.resources import GROUP


def _outputs(call: Call) -> dict[str, Any]:
    return {"name": call.name, "loginServer": f"{call.name.lower()}.azurecr.io", "provisioningState": "Succeeded"}


TYPES = [
    ResourceType(
        pulumi_type="azure-native:containerregistry:Registry",
        model="azure.mgmt.containerregistry.models:Registry",
        path=GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registryName}",
        globally_unique=True,
        replaces=frozenset({"location"}),
        seconds=20,
        outputs=_outputs,
    )
]
