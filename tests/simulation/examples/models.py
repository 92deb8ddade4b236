"""Valid inputs of what trains and stores models, and of identities, in creation order."""

from typing import Any

from tests.simulation.examples.names import HERE, INSIGHTS, PLAIN, REGISTRY, SUBSCRIPTION, VAULT

MODELS: list[tuple[str, dict[str, Any]]] = [
    (
        "azure-native:containerregistry:Registry",
        {**HERE, "registryName": "registryabc", "sku": {"name": "Basic"}, "adminUserEnabled": False},
    ),
    (
        "azure-native:machinelearningservices:Workspace",
        {
            **HERE,
            "workspaceName": "models",
            "identity": {"type": "SystemAssigned"},
            "storageAccount": PLAIN,
            "keyVault": VAULT,
            "applicationInsights": f"{INSIGHTS}/components/insights",
            "containerRegistry": REGISTRY,
            "systemDatastoresAuthMode": "Identity",
        },
    ),
    (
        "azure-native:databricks:Workspace",
        {
            **HERE,
            "workspaceName": "training",
            "sku": {"name": "premium"},
            "computeMode": "Hybrid",
            "managedResourceGroupId": f"{SUBSCRIPTION}/resourceGroups/training-managed",
            "parameters": {"enableNoPublicIp": {"value": True}},
        },
    ),
    (
        "azure-native:databricks:AccessConnector",
        {**HERE, "connectorName": "lake-access", "identity": {"type": "SystemAssigned"}},
    ),
    ("azure-native:managedidentity:UserAssignedIdentity", {**HERE, "resourceName": "id-pods"}),
]
