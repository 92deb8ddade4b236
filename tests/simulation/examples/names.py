"""The names and ids of the resources in the examples."""

from tests.simulation.world import DEFAULTS

SUBSCRIPTION = f"/subscriptions/{DEFAULTS['subscription']}"
GROUP = "rg-serving"
IN_GROUP = {"resourceGroupName": GROUP}
HERE = {"resourceGroupName": GROUP, "location": "westeurope"}
LAKE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/lakeabc"
PLAIN = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/plainabc"
VAULT = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/vault-abc"
REGISTRY = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerRegistry/registries/registryabc"
CLUSTER = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
DEPLOYER = DEFAULTS["deployers"][0]["object_id"]
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


def role(guid: str) -> str:
    """Id of a built-in role."""
    return f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
