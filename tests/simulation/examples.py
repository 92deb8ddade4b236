"""Valid inputs of the resources around which tests work, and another team's storage account beside them."""

import uuid
from typing import Any

from infra.cloud.role_list import Role
from tests.simulation.databricks.objects import (
    CATALOG,
    CREDENTIAL,
    GRANT,
    JOB,
    LOCATION,
    MEMBER,
    PERMISSIONS,
    POLICY,
    SCHEMA,
    VOLUME,
)
from tests.simulation.fakes.volumes import client_with
from tests.simulation.resource_manager.arm import Arm
from tests.simulation.services.authorization import ROLE_ASSIGNMENT
from tests.simulation.services.catalogue import ACCOUNT, CONTAINER
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import DEFAULTS, World
from tools.paths import ROOT

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
APPLICATION = "77777777-7777-4777-8777-777777777777"
WORK = "abfss://work@lakeabc.dfs.core.windows.net"
CONNECTOR = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Databricks/accessConnectors/lake-access"
OWNER = DEFAULTS["deployers"][1]["object_id"]
"""A principal that the directory knows; for the other team's container it is its owner alone."""
EVENTS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/shoplake"
EVENTS += "/blobServices/default/containers/events"
URL = "abfss://events@shoplake.dfs.core.windows.net"
TABLES = ROOT / "examples" / "tables"


def role(guid: str) -> str:
    """Id of a built-in role."""
    return f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}"


RESOURCES: list[tuple[str, dict[str, Any]]] = [
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
            "roleDefinitionId": role(Role.BLOB_DATA_CONTRIBUTOR),
        },
    ),
]
"""Azure's, in creation order."""
OBJECTS: list[tuple[str, dict[str, Any]]] = [
    (
        CREDENTIAL,
        {"name": "lake-dev", "azureManagedIdentity": {"accessConnectorId": CONNECTOR}, "skipValidation": True},
    ),
    (
        LOCATION,
        {
            "name": "raw-dev",
            "url": "abfss://raw@lakeabc.dfs.core.windows.net/",
            "credentialName": "lake-dev",
            "skipValidation": True,
        },
    ),
    (GRANT, {"externalLocation": "raw-dev", "principal": DEPLOYER, "privileges": ["READ_FILES", "WRITE_FILES"]}),
    (POLICY, {"name": "training-dev", "definition": "{}"}),
    (
        JOB,
        {
            "name": "training-dev",
            "maxConcurrentRuns": 1,
            "tasks": [{"taskKey": "train"}],
        },
    ),
    (
        LOCATION,
        {
            "name": "work-dev",
            "url": "abfss://work@lakeabc.dfs.core.windows.net/",
            "credentialName": "lake-dev",
            "skipValidation": True,
        },
    ),
    (MEMBER, {"applicationId": APPLICATION, "force": True}),
    (
        PERMISSIONS,
        {"jobId": "1002", "accessControls": [{"userName": DEPLOYER, "permissionLevel": "CAN_MANAGE"}]},
    ),
    (CATALOG, {"name": "dev", "storageRoot": f"{WORK}/catalog", "forceDestroy": True}),
    (SCHEMA, {"name": "training", "catalogName": "dev", "forceDestroy": True}),
    (
        VOLUME,
        {
            "name": "work",
            "catalogName": "dev",
            "schemaName": "training",
            "volumeType": "EXTERNAL",
            "storageLocation": f"{WORK}/files",
        },
    ),
    (GRANT, {"catalog": "dev", "principal": APPLICATION, "privileges": ["READ_VOLUME", "WRITE_VOLUME"]}),
]
"""Databricks', in creation order."""


def create_all(arm: Arm) -> None:
    """Create Azure's resources in order."""
    for kind, inputs in RESOURCES:
        arm.create(kind, inputs)


def example(kind: str) -> dict[str, Any]:
    """The first example of a type."""
    return next(inputs for name, inputs in RESOURCES if name == kind)


def open_shop(arm: Arm) -> None:
    """Create the account, its container, and the roles of its owner and of a deployer."""
    arm.create(ACCOUNT, example(ACCOUNT) | {"accountName": "shoplake"})
    for name in ("events", "secret"):
        arm.create(CONTAINER, example(CONTAINER) | {"accountName": "shoplake", "containerName": name})
    _give(arm, Role.BLOB_DATA_READER, DEPLOYER, "User")
    _give(arm, Role.BLOB_DATA_CONTRIBUTOR, OWNER, "ServicePrincipal")


def _give(arm: Arm, which: str, principal: str, kind: str) -> None:
    place = {"scope": EVENTS, "roleAssignmentName": str(uuid.uuid4())}
    who = {"principalId": principal, "principalType": kind, "roleDefinitionId": role(which)}
    arm.create(ROLE_ASSIGNMENT, example(ROLE_ASSIGNMENT) | place | who)


def as_owner(world: World) -> Any:
    """The container, as its owner reads and writes it."""
    return client_with("shoplake", "events", issue(world, OWNER, STORAGE)[0])


def config_in_place() -> str:
    """The dataset config of the README's tables, which lie in the container's folder `shop`."""
    text = (TABLES / "dataset.yaml").read_text(encoding="utf-8")
    for table in ("interactions", "users", "items"):
        text = text.replace(f": {table}.csv", f": {URL}/shop/{table}.csv")
    return text
