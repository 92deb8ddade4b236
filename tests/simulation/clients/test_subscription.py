"""What a preflight asks the Resource Manager for."""

import requests

from tests.simulation.azure_native import AzureNative
from tests.simulation.clients.calls import MANAGER, SUBSCRIPTION, header
from tests.simulation.inputs.names import DEPLOYER, LAKE
from tests.simulation.tokens import MANAGEMENT


def test_a_preflight_learns_of_names_providers_and_roles(cloud: AzureNative) -> None:
    base = f"{MANAGER}/subscriptions/{SUBSCRIPTION}"
    headers = header(cloud, MANAGEMENT)

    def name(wanted: str) -> bool:
        path = f"{base}/providers/Microsoft.Storage/checkNameAvailability"
        body = {"name": wanted, "type": "Microsoft.Storage/storageAccounts"}
        return bool(requests.post(path, json=body, headers=headers, timeout=10).json()["nameAvailable"])

    assert [name("lakeabc"), name("Bad_Name"), name("free123")] == [False, False, True]
    cloud.world.set("registered_providers", ["Microsoft.Storage"])
    vaults = f"{base}/providers/Microsoft.KeyVault"
    assert requests.get(vaults, headers=headers, timeout=10).json()["registrationState"] == "NotRegistered"
    requests.post(f"{vaults}/register", headers=headers, timeout=10).raise_for_status()
    assert requests.get(vaults, headers=headers, timeout=10).json()["registrationState"] == "Registered"
    cloud.world.set("registered_providers", None)
    roles = requests.get(
        f"{MANAGER}{LAKE}/providers/Microsoft.Authorization/roleAssignments", headers=headers, timeout=10
    ).json()["value"]
    mine = {item["properties"]["scope"] for item in roles if item["properties"]["principalId"] == DEPLOYER}
    assert mine >= {LAKE, f"/subscriptions/{SUBSCRIPTION}"}


def test_sizes_zones_and_quota_can_be_asked_for(cloud: AzureNative) -> None:
    base = f"{MANAGER}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute"
    cloud.world.set("restricted_sizes", ["Standard_L8s_v3"])
    sizes = requests.get(
        f"{base}/skus", params={"$filter": "location eq 'westeurope'"}, headers=header(cloud, MANAGEMENT), timeout=10
    ).json()["value"]
    assert [size["name"] for size in sizes if size["restrictions"]] == ["Standard_L8s_v3"]
    usages = requests.get(f"{base}/locations/westeurope/usages", headers=header(cloud, MANAGEMENT), timeout=10).json()
    used = {usage["name"]["value"]: usage["currentValue"] for usage in usages["value"]}
    assert used["standardDDSv5Family"] == 8
