"""Valid inputs of the resources around which tests work, in creation order."""

from typing import Any

from tests.simulation.examples.names import (
    BLOB_CONTRIBUTOR,
    DEPLOYER,
    HERE,
    IN_GROUP,
    LAKE,
    PLAIN,
    REGISTRY,
    SUBSCRIPTION,
    VAULT,
    role,
)
from tests.simulation.resource_manager.arm import Arm
from tests.simulation.world import DEFAULTS

EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("azure-native:resources:ResourceGroup", HERE),
    (
        "azure-native:storage:StorageAccount",
        {
            **HERE,
            "accountName": "lakeabc",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "isHnsEnabled": True,
            "allowSharedKeyAccess": False,
        },
    ),
    (
        "azure-native:storage:StorageAccount",
        {**HERE, "accountName": "plainabc", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}},
    ),
    ("azure-native:storage:BlobContainer", {**IN_GROUP, "accountName": "lakeabc", "containerName": "raw"}),
    (
        "azure-native:keyvault:Vault",
        {
            **HERE,
            "vaultName": "vault-abc",
            "properties": {"tenantId": DEFAULTS["tenant"], "sku": {"family": "A", "name": "standard"}},
        },
    ),
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
            "containerRegistry": REGISTRY,
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
        },
    ),
    (
        "azure-native:databricks:AccessConnector",
        {**HERE, "connectorName": "lake-access", "identity": {"type": "SystemAssigned"}},
    ),
    ("azure-native:managedidentity:UserAssignedIdentity", {**HERE, "resourceName": "id-pods"}),
    (
        "azure-native:managedidentity:FederatedIdentityCredential",
        {
            **IN_GROUP,
            "resourceName": "id-pods",
            "federatedIdentityCredentialResourceName": "scoring",
            "issuer": "https://issuer.example.com/",
            "subject": "system:serviceaccount:scoring:scoring",
            "audiences": ["api://AzureADTokenExchange"],
        },
    ),
    (
        "azure-native:containerservice:ManagedCluster",
        {
            **HERE,
            "resourceName": "aks",
            "dnsPrefix": "personalization",
            "identity": {"type": "SystemAssigned"},
            "agentPoolProfiles": [{"name": "system", "mode": "System", "vmSize": "Standard_D4ds_v5", "count": 1}],
        },
    ),
    (
        "azure-native:authorization:RoleAssignment",
        {
            "scope": LAKE,
            "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0001",
            "principalId": DEPLOYER,
            "principalType": "User",
            "roleDefinitionId": role(BLOB_CONTRIBUTOR),
        },
    ),
]


def create_all(arm: Arm) -> None:
    """Create the examples in order."""
    for kind, inputs in EXAMPLES:
        arm.create(kind, inputs)


def example(kind: str) -> dict[str, Any]:
    """The first example of a type."""
    return next(inputs for name, inputs in EXAMPLES if name == kind)
