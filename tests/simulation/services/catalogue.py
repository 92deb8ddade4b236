"""All types of azure-native that the simulation knows, and its functions."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import ResourceType
from tests.simulation.services import (
    authorization,
    consumption,
    databricks,
    identity,
    keyvault,
    kubernetes,
    machine_learning,
    monitoring,
    network,
    private_links,
    registry,
    resources,
    storage,
)
from tests.simulation.services.authorization import may
from tests.simulation.world import World

SERVICES = (
    resources,
    network,
    private_links,
    storage,
    keyvault,
    monitoring,
    registry,
    machine_learning,
    databricks,
    kubernetes,
    identity,
    authorization,
    consumption,
)
TYPES: Mapping[str, ResourceType] = {kind.pulumi_type: kind for service in SERVICES for kind in service.TYPES}

Function = Callable[[World, Mapping[str, Any]], dict[str, Any]]


def _client_config(world: World, _: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "subscriptionId": world.setting("subscription"),
        "tenantId": world.setting("tenant"),
        "objectId": world.setting("caller"),
        "clientId": world.setting("caller"),
    }


def _user_credentials(world: World, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The kubeconfig from AKS: the server's address, and a command that asks for a device code."""
    identity = TYPES["azure-native:containerservice:ManagedCluster"].identity(arguments, world.setting("subscription"))
    cluster = world.get(identity or "")
    if cluster is None:
        raise RefusedError(404, "ResourceNotFound", f"The cluster '{identity}' was not found.")
    if not may(world, world.setting("caller"), cluster.id, *CREDENTIAL_ROLES):
        raise RefusedError(403, "AuthorizationFailed", f"The caller may not list credentials of '{identity}'.")
    plane = world.setting("kubernetes")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster.id.rpartition("/")[2],
        "clusters": [
            {
                "name": "aks",
                "cluster": {
                    "server": plane.get("server", f"https://{cluster.outputs['fqdn']}:443"),
                    "certificate-authority-data": plane.get("certificate_authority_data", ""),
                },
            }
        ],
        "contexts": [{"name": cluster.id.rpartition("/")[2], "context": {"cluster": "aks", "user": "clusterUser"}}],
        "users": [{"name": "clusterUser", "user": {"exec": _DEVICE_CODE}}],
    }
    value = base64.b64encode(json.dumps(config).encode()).decode()
    return {"kubeconfigs": [{"name": "clusterUser", "value": value}]}


_DEVICE_CODE = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "command": "kubelogin",
    "args": ["get-token", "--login", "devicecode", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"],
}

CREDENTIAL_ROLES = (
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service RBAC Admin",
    "Azure Kubernetes Service RBAC Cluster Admin",
    "Contributor",
    "Owner",
)
USER_CREDENTIALS = "azure-native:containerservice:listManagedClusterUserCredentials"
FUNCTIONS: Mapping[str, Function] = {
    "azure-native:authorization:getClientConfig": _client_config,
    USER_CREDENTIALS: _user_credentials,
}
