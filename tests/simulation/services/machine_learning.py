"""Azure Machine Learning workspaces. A deleted workspace keeps its name for 14 days unless it's purged."""

import time
import uuid
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType
from tests.simulation.services import storage
from tests.simulation.services.principals import system_identity
from tests.simulation.services.resources import GROUP
from tests.simulation.world import Record, key_of

TYPE = "azure-native:machinelearningservices:Workspace"


def _refuse_default_storage(call: Call) -> None:
    account = call.world.get(call.input("storageAccount", ""))
    if account is None or account.type != storage.TYPE:
        raise RefusedError(400, "ValidationError", "A workspace needs a storage account.")
    if account.inputs.get("isHnsEnabled"):
        message = "Storage accounts with a hierarchical namespace can't be the default storage of a workspace."
        raise RefusedError(400, "ValidationError", message)
    tier = str(account.inputs["sku"]["name"])
    if tier.startswith("Premium") or account.inputs.get("kind") == "BlobStorage":
        raise RefusedError(400, "ValidationError", f"Storage accounts of {tier} can't be the default storage.")


def _refuse_shared_keys(call: Call) -> None:
    account = call.world.get(call.input("storageAccount", ""))
    by_key = call.input("systemDatastoresAuthMode", "AccessKey").lower() == "accesskey"
    if account is not None and by_key and account.inputs.get("allowSharedKeyAccess") is False:
        message = "The default storage takes no shared keys: set systemDatastoresAuthMode to Identity."
        raise RefusedError(400, "ValidationError", message)


def _refuse_deleted_name(call: Call) -> None:
    if call.old is None and key_of(call.id) in call.world.buried(TYPE):
        message = f"A soft-deleted workspace with the same name '{call.name}' exists; recover or purge it."
        raise RefusedError(409, "Conflict", message)


def _refuse_missing_parts(call: Call) -> None:
    for name in ("keyVault", "applicationInsights"):
        if not call.input(name):
            raise RefusedError(400, "ValidationError", f"A workspace needs '{name}'.")


def default_container(workspace: str) -> str:
    """The container that a workspace creates in its default storage, named by the workspace's own id."""
    return f"azureml-blobstore-{workspace}"


def _make_container(call: Call, workspace: str) -> None:
    name = default_container(workspace)
    identity = f"{call.input('storageAccount')}/blobServices/default/containers/{name}"
    now = time.time()
    call.world.put(Record(identity, storage.CONTAINER, {"containerName": name}, {"name": name}, now, now))


def _outputs(call: Call) -> dict[str, Any]:
    old = call.old.outputs if call.old else {}
    location = call.input("location")
    workspace = old.get("workspaceId") or str(uuid.uuid4())
    if call.old is None:
        _make_container(call, workspace)
    return {
        "name": call.name,
        "workspaceId": workspace,
        "discoveryUrl": f"https://{location}.api.azureml.ms/discovery",
        "mlFlowTrackingUri": f"azureml://{location}.api.azureml.ms/mlflow/v1.0{call.id}",
        "storageHnsEnabled": False,
        "provisioningState": "Succeeded",
        **system_identity(call),
    }


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.ai.ml._restclient.arm_ml_service.models:Workspace",
        path=GROUP + "/providers/Microsoft.MachineLearningServices/workspaces/{workspaceName}",
        name=NameRule(pattern="[A-Za-z0-9][A-Za-z0-9_-]*", shortest=3, longest=33),
        replaces=frozenset({"location", "storageAccount", "keyVault"}),
        fixed=frozenset({"storageAccount", "keyVault", "hbiWorkspace"}),
        seconds=60,
        rules=(_refuse_missing_parts, _refuse_default_storage, _refuse_shared_keys, _refuse_deleted_name),
        outputs=_outputs,
        soft_delete_days=14,
    )
]
