"""Storage accounts, containers, lifecycle policies and the Blob service's settings."""

from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services.resources import GROUP

ACCOUNT = GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}"
TYPE = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"


def _account_outputs(call: Call) -> dict[str, Any]:
    host = f"https://{call.name}.{{}}.core.windows.net/"
    return {
        "name": call.name,
        "primaryEndpoints": {service: host.format(service) for service in ("blob", "dfs")},
        "primaryLocation": call.input("location"),
        "provisioningState": "Succeeded",
    }


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.storage.models:StorageAccountCreateParameters",
        path=ACCOUNT,
        globally_unique=True,
        aliases={
            "enableHttpsTrafficOnly": "supportsHttpsTrafficOnly",
            "networkRuleSet": "networkAcls",
            "enableNfsV3": "isNfsV3Enabled",
        },
        replaces=frozenset({"location", "isHnsEnabled"}),
        seconds=25,
        outputs=_account_outputs,
    ),
    ResourceType(
        pulumi_type=CONTAINER,
        model="azure.mgmt.storage.models:BlobContainer",
        path=ACCOUNT + "/blobServices/default/containers/{containerName}",
    ),
    ResourceType(
        pulumi_type="azure-native:storage:ManagementPolicy",
        model="azure.mgmt.storage.models:ManagementPolicy",
        path=ACCOUNT + "/managementPolicies/{managementPolicyName}",
    ),
    ResourceType(
        pulumi_type="azure-native:storage:BlobServiceProperties",
        model="azure.mgmt.storage.models:BlobServiceProperties",
        path=ACCOUNT + "/blobServices/{blobServicesName}",
        singleton=True,
    ),
]
