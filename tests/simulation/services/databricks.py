"""Databricks workspaces and access connectors in ARM."""

import uuid
import zlib
from typing import Any

from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services.principals import system_identity
from tests.simulation.services.resources import GROUP

TYPE = "azure-native:databricks:Workspace"


def _workspace_outputs(call: Call) -> dict[str, Any]:
    old = call.old.outputs if call.old else {}
    number = old.get("workspaceId") or str(10**15 + uuid.uuid4().int % 10**15)
    return {
        "name": call.name,
        "workspaceId": number,
        "workspaceUrl": f"adb-{number}.{zlib.crc32(number.encode()) % 20}.azuredatabricks.net",
        "isUcEnabled": bool(call.world.setting("metastore")),
        "provisioningState": "Succeeded",
    }


def _connector_outputs(call: Call) -> dict[str, Any]:
    return {"name": call.name, **system_identity(call)}


TYPES = [
    ResourceType(
        pulumi_type=TYPE,
        model="azure.mgmt.databricks.models:Workspace",
        path=GROUP + "/providers/Microsoft.Databricks/workspaces/{workspaceName}",
        replaces=frozenset({"location", "computeMode", "managedResourceGroupId", "parameters.customVirtualNetworkId"}),
        seconds=180,
        outputs=_workspace_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:databricks:AccessConnector",
        model="azure.mgmt.databricks.models:AccessConnector",
        path=GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
        replaces=frozenset({"location"}),
        outputs=_connector_outputs,
    ),
]
