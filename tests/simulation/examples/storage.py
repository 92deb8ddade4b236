"""Valid inputs of the resource group, its storage accounts and its vault, in creation order."""

from typing import Any

from tests.simulation.examples.names import HERE, IN_GROUP
from tests.simulation.world import DEFAULTS

STORAGE: list[tuple[str, dict[str, Any]]] = [
    ("azure-native:resources:ResourceGroup", {**HERE, "tags": {"project": "personalization"}}),
    (
        "azure-native:storage:StorageAccount",
        {
            **HERE,
            "accountName": "lakeabc",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "isHnsEnabled": True,
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "minimumTlsVersion": "TLS1_2",
            "enableHttpsTrafficOnly": True,
            "networkRuleSet": {"defaultAction": "Allow", "bypass": "AzureServices"},
        },
    ),
    (
        "azure-native:storage:StorageAccount",
        {
            **HERE,
            "accountName": "plainabc",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "allowSharedKeyAccess": False,
        },
    ),
    (
        "azure-native:storage:BlobContainer",
        {**IN_GROUP, "accountName": "lakeabc", "containerName": "raw", "publicAccess": "None"},
    ),
    (
        "azure-native:storage:ManagementPolicy",
        {
            **IN_GROUP,
            "accountName": "lakeabc",
            "managementPolicyName": "default",
            "policy": {
                "rules": [
                    {
                        "name": "cool",
                        "type": "Lifecycle",
                        "enabled": True,
                        "definition": {
                            "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["raw/"]},
                            "actions": {"baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 30}}},
                        },
                    }
                ]
            },
        },
    ),
    (
        "azure-native:storage:BlobServiceProperties",
        {
            **IN_GROUP,
            "accountName": "lakeabc",
            "blobServicesName": "default",
            "deleteRetentionPolicy": {"enabled": True, "days": 7},
        },
    ),
    (
        "azure-native:keyvault:Vault",
        {
            **HERE,
            "vaultName": "vault-abc",
            "properties": {
                "tenantId": DEFAULTS["tenant"],
                "sku": {"family": "A", "name": "standard"},
                "enableRbacAuthorization": True,
                "softDeleteRetentionInDays": 7,
            },
        },
    ),
    (
        "azure-native:keyvault:Secret",
        {**IN_GROUP, "vaultName": "vault-abc", "secretName": "scoring-key", "properties": {"value": "k"}},
    ),
    (
        "azure-native:keyvault:Key",
        {**IN_GROUP, "vaultName": "vault-abc", "keyName": "state", "properties": {"kty": "RSA", "keySize": 3072}},
    ),
]
