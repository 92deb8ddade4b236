"""Container registries."""

from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType
from tests.simulation.services.resources import GROUP

PREMIUM_ONLY = {
    "policies.retentionPolicy": "a retention policy",
    "policies.trustPolicy": "content trust",
    "networkRuleSet": "network rules",
}


def _refuse_premium_features(call: Call) -> None:
    tier = call.input("sku.name")
    wanted = [text for path, text in PREMIUM_ONLY.items() if call.input(path) is not None]
    if call.input("zoneRedundancy") == "Enabled":
        wanted.append("zone redundancy")
    if wanted and tier != "Premium":
        raise RefusedError(
            400, "SkuNotSupported", f"{wanted[0]} is not supported for the SKU {tier}; it needs Premium."
        )


def _outputs(call: Call) -> dict[str, Any]:
    server = call.world.setting("hosts").get("registry", f"{call.name.lower()}.azurecr.io")
    return {"name": call.name, "loginServer": server, "provisioningState": "Succeeded"}


TYPES = [
    ResourceType(
        pulumi_type="azure-native:containerregistry:Registry",
        model="azure.mgmt.containerregistry.models:Registry",
        path=GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registryName}",
        name=NameRule(pattern="[A-Za-z0-9]+", shortest=5, longest=50, globally_unique=True),
        replaces=frozenset({"location"}),
        seconds=20,
        rules=(_refuse_premium_features,),
        outputs=_outputs,
    )
]
