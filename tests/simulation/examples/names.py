"""The names and ids of the resources in the examples."""

import datetime as dt

from tests.simulation.world import DEFAULTS

SUBSCRIPTION = f"/subscriptions/{DEFAULTS['subscription']}"
GROUP = "rg-serving"
IN_GROUP = {"resourceGroupName": GROUP}
HERE = {"resourceGroupName": GROUP, "location": "westeurope"}
LAKE = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/lakeabc"
PLAIN = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/plainabc"
VAULT = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/vault-abc"
LOGS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.OperationalInsights/workspaces/logs"
INSIGHTS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Insights"
REGISTRY = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerRegistry/registries/registryabc"
CLUSTER = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
IDENTITY = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-pods"
DEPLOYER = DEFAULTS["deployers"][0]["object_id"]
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
THIS_MONTH = dt.datetime.now(dt.UTC).strftime("%Y-%m-01T00:00:00Z")


def role(guid: str) -> str:
    """Id of a built-in role."""
    return f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
