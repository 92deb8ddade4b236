"""Databricks workspaces and access connectors in ARM."""

import uuid
import zlib
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType
from tests.simulation.services.injection import refuse_workspace_network
from tests.simulation.services.principals import system_identity
from tests.simulation.services.resources import GROUP
from tests.simulation.world import key_of

TYPE = "azure-native:databricks:Workspace"
SERVERLESS_FORBIDS = ("managedResourceGroupId", "accessConnector", "parameters.customVirtualNetworkId")


def _refuse_retired_tier(call: Call) -> None:
    if call.input("sku.name", "").lower() == "standard":
        raise RefusedError(400, "InvalidSku", "The Standard tier is retired; use premium.")


def _refuse_managed_group(call: Call) -> None:
    if call.old is not None:
        return
    wanted = call.input("managedResourceGroupId")
    if call.input("computeMode") == "Serverless":
        given = [path for path in SERVERLESS_FORBIDS if call.input(path)]
        if given:
            raise RefusedError(400, "InvalidComputeMode", f"'{given[0]}' is not allowed with computeMode Serverless.")
        return
    if not wanted:
        raise RefusedError(400, "ApplicationManagedResourceGroupMissing", "managedResourceGroupId is required.")
    name = wanted.rpartition("/")[2].lower()
    if call.world.get(wanted) is not None:
        message = f"The managed resource group '{name}' must not exist."
        raise RefusedError(409, "ApplicationManagedResourceGroupExists", message)
    if name == call.name.lower():
        raise RefusedError(400, "BadRequest", "The managed resource group can't have the workspace's name.")
    taken = [
        other.id
        for other in call.world.all(TYPE)
        if key_of(other.id) != key_of(call.id)
        and key_of(other.inputs.get("managedResourceGroupId", "")) == key_of(wanted)
    ]
    if taken:
        raise RefusedError(409, "ApplicationManagedResourceGroupExists", f"'{name}' belongs to '{taken[0]}'.")


def _workspace_outputs(call: Call) -> dict[str, Any]:
    old = call.old.outputs if call.old else {}
    number = old.get("workspaceId") or str(10**15 + uuid.uuid4().int % 10**15)
    host = (
        call.world.setting("hosts").get("databricks")
        or f"adb-{number}.{zlib.crc32(number.encode()) % 20}.azuredatabricks.net"
    )
    return {
        "name": call.name,
        "workspaceId": number,
        "workspaceUrl": host.removeprefix("https://"),
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
        name=NameRule(pattern=r"[A-Za-z0-9_-]+", shortest=3, longest=64),
        replaces=frozenset({"location", "computeMode", "managedResourceGroupId", "parameters.customVirtualNetworkId"}),
        fixed=frozenset({"managedResourceGroupId", "computeMode", "parameters.storageAccountName"}),
        seconds=180,
        rules=(_refuse_retired_tier, _refuse_managed_group, refuse_workspace_network),
        outputs=_workspace_outputs,
    ),
    ResourceType(
        pulumi_type="azure-native:databricks:AccessConnector",
        model="azure.mgmt.databricks.models:AccessConnector",
        path=GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
        name=NameRule(pattern=r"[A-Za-z0-9_-]+", shortest=3, longest=64),
        replaces=frozenset({"location"}),
        outputs=_connector_outputs,
    ),
]
