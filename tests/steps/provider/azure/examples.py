"""The resources around which the steps' tests work, and another team's storage account beside them."""

import uuid
from typing import Any

from infra.cloud.role_list import Role
from tests.simulation.databricks import JOB, Databricks
from tests.simulation.fakes.volumes import client_with
from tests.simulation.resource_manager import Arm
from tests.simulation.services.authorization import IDENTITY, ROLE_ASSIGNMENT
from tests.simulation.services.catalogue import (
    ACCOUNT,
    CONTAINER,
    CREDENTIAL,
    DATABRICKS,
    MACHINE_LEARNING,
    REGISTRY,
    VAULT,
)
from tests.simulation.services.kubernetes import CLUSTER as CLUSTER_TYPE
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import DEFAULTS, World
from tools.paths import ROOT

SUBSCRIPTION = f"/subscriptions/{DEFAULTS['subscription']}"
GROUP = "rg-serving"
IN_GROUP = {"resourceGroupName": GROUP}
HERE = {**IN_GROUP, "location": "westeurope"}
PROVIDERS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
LAKE = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/lakeabc"
PLAIN = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/plainabc"
CLUSTER = f"{PROVIDERS}/Microsoft.ContainerService/managedClusters/aks"
DEPLOYER = DEFAULTS["deployers"][0]["object_id"]
OWNER = DEFAULTS["deployers"][1]["object_id"]
"""A principal that the directory knows; for the other team's container it is its owner alone."""
EVENTS = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/shoplake/blobServices/default/containers/events"
URL = "abfss://events@shoplake.dfs.core.windows.net"
TABLES = ROOT / "examples" / "tables"
CONTAINERS = ("raw", "models", "work", "snapshots")
"""The lake's."""
STORES = {
    "storageAccount": PLAIN,
    "keyVault": f"{PROVIDERS}/Microsoft.KeyVault/vaults/vault-abc",
    "containerRegistry": f"{PROVIDERS}/Microsoft.ContainerRegistry/registries/registryabc",
}
RESOURCES: list[tuple[str, dict[str, Any]]] = [
    ("azure-native:resources:ResourceGroup", HERE),
    (ACCOUNT, {**HERE, "accountName": "lakeabc"}),
    (ACCOUNT, {**HERE, "accountName": "plainabc"}),
    (VAULT, {**HERE, "vaultName": "vault-abc"}),
    (REGISTRY, {**HERE, "registryName": "registryabc"}),
    (MACHINE_LEARNING, {**HERE, "workspaceName": "models", "identity": {"type": "SystemAssigned"}, **STORES}),
    (DATABRICKS, {**HERE, "workspaceName": "training"}),
    (IDENTITY, {**HERE, "resourceName": "id-pods"}),
    (CREDENTIAL, {**IN_GROUP, "resourceName": "id-pods", "federatedIdentityCredentialResourceName": "scoring"}),
    (CLUSTER_TYPE, {**HERE, "resourceName": "aks", "dnsPrefix": "personalization"}),
]
"""In the order of their creation."""


def create_all(arm: Arm) -> None:
    """Create the resources, the lake's containers, a job, and the roles and the membership of a deployer."""
    for kind, inputs in RESOURCES:
        arm.create(kind, inputs)
    for name in CONTAINERS:
        arm.create(CONTAINER, {**IN_GROUP, "accountName": "lakeabc", "containerName": name})
    for scope in (LAKE, PLAIN):
        give(arm, Role.BLOB_DATA_CONTRIBUTOR, scope, DEPLOYER, "User")
    workspace = arm.world.all(DATABRICKS)[0].outputs
    arm.world.set("members", {workspace["workspaceId"]: [DEPLOYER]})
    job = {"name": "training-dev", "maxConcurrentRuns": 1, "tasks": [{"taskKey": "train"}]}
    Databricks(arm.world, workspace["workspaceUrl"]).create(JOB, job)


def give(arm: Arm, role: str, scope: str, principal: str, kind: str) -> str:
    """Assign a role; returns the assignment's id."""
    definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    who = {"principalId": principal, "principalType": kind, "roleDefinitionId": definition}
    return arm.create(ROLE_ASSIGNMENT, {**who, "scope": scope, "roleAssignmentName": str(uuid.uuid4())}).id


def open_shop(arm: Arm) -> None:
    """Create the account, its container, and the roles of its owner and of a deployer."""
    arm.create(ACCOUNT, {**HERE, "accountName": "shoplake"})
    for name in ("events", "secret"):
        arm.create(CONTAINER, {**IN_GROUP, "accountName": "shoplake", "containerName": name})
    give(arm, Role.BLOB_DATA_READER, EVENTS, DEPLOYER, "User")
    give(arm, Role.BLOB_DATA_CONTRIBUTOR, EVENTS, OWNER, "ServicePrincipal")


def as_owner(world: World) -> Any:
    """The container, as its owner reads and writes it."""
    return client_with("shoplake", "events", issue(world, OWNER, STORAGE)[0])


def config_in_place() -> str:
    """The dataset config of the README's tables, which lie in the container's folder `shop`."""
    text = (TABLES / "dataset.yaml").read_text(encoding="utf-8")
    for table in ("interactions", "users", "items"):
        text = text.replace(f": {table}.csv", f": {URL}/shop/{table}.csv")
    return text
