"""Azure Machine Learning workspaces. A deleted workspace keeps its name for 14 days unless it's purged."""

import time
import uuid
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services import storage
from tests.simulation.services.principals import system_identity
from tests.simulation.services.resources import GROUP
from tests.simulation.world import Record, key_of

TYPE = "azure-native:machinelearningservices:Workspace"


def _refuse_deleted_name(call: Call) -> None:
    if call.old is None and key_of(call.id) in call.world.buried(TYPE):
        message = f"A soft-deleted workspace with the same name '{call.name}' exists; recover or purge it."
        raise RefusedError(409, "Conflict", message)


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
        replaces=frozenset({"location", "storageAccount", "keyVault"}),
        seconds=60,
        rules=(_refuse_deleted_name,),
        outputs=_outputs,
        soft_delete_days=14,
    )
]
