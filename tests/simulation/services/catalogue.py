"""All types of azure-native that the simulation knows: those of a stack, by the product's own table of paths, and those
that `bootstrap` creates or that are a setting of their parent. Their rules are here, or in a file of their own."""

import time
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

from personalize.stack.interrupted import AZURE_PATHS, GROUP, STORAGE
from personalize.stack.interrupted import VAULT as VAULT_PATH
from tests.simulation.cloud import Call, ResourceType
from tests.simulation.services import authorization, kubernetes, network
from tests.simulation.services.authorization import IDENTITY, system_identity
from tests.simulation.world import Record, RefusedError, key_of

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
VAULT = "azure-native:keyvault:Vault"
REGISTRY = "azure-native:containerregistry:Registry"
MACHINE_LEARNING = "azure-native:machinelearningservices:Workspace"
DATABRICKS = "azure-native:databricks:Workspace"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"


def _note_swept(call: Call) -> None:
    """Note what a group's deletion sweeps away: a program that deletes in the right order leaves nothing in it."""
    inside = [record.id for record in call.world.under(call.id) if record.id != call.id]
    call.world.set("swept", [*call.world.setting("swept"), *inside])


def _account_outputs(call: Call) -> dict[str, Any]:
    endpoints = {service: f"https://{call.name}.{service}.core.windows.net/" for service in ("blob", "dfs")}
    return {"name": call.name, "primaryEndpoints": endpoints}


def _refuse_taken(call: Call) -> None:
    """Some names no other subscription may use either."""
    if call.old is None and call.name.lower() in call.world.taken_names(call.type.pulumi_type):
        message = f"The name '{call.name}' is taken, or held by a deleted resource."
        raise RefusedError(409, "NameNotAvailable", message)


def _refuse_deleted(call: Call) -> None:
    """A deleted vault or workspace keeps its name, for the same resource too, unless it's recovered or purged.

    Sources: learn.microsoft.com/azure/key-vault/general/key-vault-recovery; the refusal's words are quoted in
    alan-turing-institute/data-safe-haven#2523.
    """
    if call.old is None and key_of(call.id) in call.world.buried(call.type.pulumi_type):
        message = f"A resource with the name '{call.name}' exists in deleted state. Either recover or purge it."
        raise RefusedError(409, "ConflictError", message)


def default_container(workspace: str) -> str:
    """The container that an Azure ML workspace creates in its default storage, named by the workspace's own id."""
    return f"azureml-blobstore-{workspace}"


def _machine_learning_outputs(call: Call) -> dict[str, Any]:
    workspace = call.kept("workspaceId") or str(uuid.uuid4())
    if call.old is None:
        name, now = default_container(workspace), time.time()
        identity = f"{call.input('storageAccount')}/blobServices/default/containers/{name}"
        call.world.put(Record(identity, CONTAINER, {"containerName": name}, {"name": name}, now, now))
    return {"name": call.name, "workspaceId": workspace, **system_identity(call)}


def _databricks_outputs(call: Call) -> dict[str, Any]:
    number = call.kept("workspaceId") or str(10**15 + uuid.uuid4().int % 10**15)
    return {
        "name": call.name,
        "workspaceId": number,
        "workspaceUrl": f"adb-{number}.{zlib.crc32(number.encode()) % 20}.azuredatabricks.net",
        "isUcEnabled": bool(call.world.setting("metastore")),
    }


def _identity_outputs(call: Call) -> dict[str, Any]:
    new = {name: call.kept(name) or str(uuid.uuid4()) for name in ("principalId", "clientId")}
    return {"name": call.name, "tenantId": call.world.setting("tenant"), **new}


OTHER_PATHS = {
    "resources:ResourceGroup": GROUP,
    "consumption:Budget": "/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
    "keyvault:Key": VAULT_PATH + "/keys/{keyName}",
    "storage:BlobServiceProperties": STORAGE + "/blobServices/{blobServicesName}",
}
RULES: Mapping[str, Mapping[str, Any]] = {
    "azure-native:resources:ResourceGroup": {"delete_rules": (_note_swept,)},
    ACCOUNT: {
        "replaces": frozenset({"isHnsEnabled"}),
        "seconds": 25,
        "rules": (_refuse_taken,),
        "outputs": _account_outputs,
    },
    "azure-native:storage:BlobServiceProperties": {"singleton": True},
    VAULT: {"seconds": 30, "rules": (_refuse_deleted, _refuse_taken), "soft_delete_days": 7},
    "azure-native:keyvault:Secret": {"no_delete": True},
    "azure-native:keyvault:Key": {"no_delete": True},
    REGISTRY: {
        "seconds": 20,
        "rules": (_refuse_taken,),
        "outputs": lambda call: {"name": call.name, "loginServer": f"{call.name.lower()}.azurecr.io"},
    },
    MACHINE_LEARNING: {
        "replaces": frozenset({"storageAccount", "keyVault"}),
        "seconds": 60,
        "rules": (_refuse_deleted,),
        "outputs": _machine_learning_outputs,
        "soft_delete_days": 14,
    },
    DATABRICKS: {
        "replaces": frozenset({"computeMode", "managedResourceGroupId", "parameters.customVirtualNetworkId"}),
        "seconds": 180,
        "outputs": _databricks_outputs,
    },
    "azure-native:databricks:AccessConnector": {"outputs": lambda call: {"name": call.name, **system_identity(call)}},
    IDENTITY: {"outputs": _identity_outputs},
    **authorization.RULES,
    **kubernetes.RULES,
    **network.RULES,
}
"""What is particular about a type: fields of `ResourceType`."""
TYPES: Mapping[str, ResourceType] = {
    token: ResourceType(pulumi_type=token, path=path, **RULES.get(token, {}))
    for token, path in ((f"azure-native:{kind}", path) for kind, path in (AZURE_PATHS | OTHER_PATHS).items())
}
