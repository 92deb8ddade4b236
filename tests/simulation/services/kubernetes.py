"""AKS clusters with their credentials, node pools and maintenance windows."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from personalize.stack.interrupted import CLUSTER as CLUSTER_PATH
from tests.simulation.cloud import Call, ResourceType
from tests.simulation.services.authorization import may, system_identity
from tests.simulation.tokens import KUBERNETES
from tests.simulation.world import Record, RefusedError, World, key_of

CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
FIXED = ("vmSize", "osType", "osDiskType", "osDiskSizeGB", "availabilityZones", "maxPods")
"""What can't change after a pool's creation, according to the API's own descriptions."""
CREDENTIAL_ROLES = (
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service RBAC Admin",
    "Azure Kubernetes Service RBAC Cluster Admin",
    "Contributor",
    "Owner",
)
DEVICE_CODE = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "command": "kubelogin",
    "args": ["get-token", "--login", "devicecode", "--server-id", KUBERNETES],
}


def separate_pools(world: World, cluster: Record) -> list[dict[str, Any]]:
    """The inputs of the cluster's pools that are resources of their own, with their names."""
    own = [one for one in world.all(POOL) if key_of(one.id).startswith(key_of(cluster.id) + "/") and not one.deleting]
    return [{**pool.inputs, "name": pool.id.rpartition("/")[2]} for pool in own]


def user_credentials(world: World, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The kubeconfig from AKS: the server's address, and a command that asks for a device code."""
    kind = ResourceType(pulumi_type=CLUSTER, path=CLUSTER_PATH)
    identity = kind.identity(arguments, world.setting("subscription"))
    cluster = world.get(identity)
    if cluster is None:
        raise RefusedError(404, "ResourceNotFound", f"The cluster '{identity}' was not found.")
    if not may(world, world.setting("caller"), cluster.id, *CREDENTIAL_ROLES):
        raise RefusedError(403, "AuthorizationFailed", f"The caller may not list credentials of '{identity}'.")
    plane, name = world.setting("kubernetes"), cluster.id.rpartition("/")[2]
    server = {
        "server": plane.get("server", f"https://{cluster.inputs.get('dnsPrefix')}.hcp.azmk8s.io:443"),
        "certificate-authority-data": plane.get("certificate_authority_data", ""),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": "aks", "cluster": server}],
        "contexts": [{"name": name, "context": {"cluster": "aks", "user": "clusterUser"}}],
        "users": [{"name": "clusterUser", "user": {"exec": DEVICE_CODE}}],
    }
    value = base64.b64encode(json.dumps(config).encode()).decode()
    return {"kubeconfigs": [{"name": "clusterUser", "value": value}]}


def shown(world: World, record: Record) -> Record:
    """A record as a later read returns it: AKS lists pools that are resources of their own in the cluster too."""
    path = ("resourceGroupName", "resourceName", "agentPoolName")
    pools = separate_pools(world, record) if record.type == CLUSTER else []
    separate = [{key: value for key, value in pool.items() if key not in path} for pool in pools]
    profiles = [*record.inputs.get("agentPoolProfiles", []), *separate]
    return replace(record, inputs={**record.inputs, "agentPoolProfiles": profiles}) if separate else record


def _refuse_stopped(call: Call) -> None:
    """Raise for a change of a stopped cluster or its parts; it can only be started or deleted as a whole.

    Source: learn.microsoft.com/azure/aks/start-stop-cluster. Nobody has seen the code and the wording.
    """
    parts = call.id.split("/")
    cluster = call.world.get("/".join(parts[: parts.index("managedClusters") + 2]))
    if cluster is not None and cluster.outputs.get("powerState", {}).get("code") == "Stopped":
        message = f"The managed cluster '{cluster.id}' is stopped: it can only be started or deleted."
        raise RefusedError(409, "OperationNotAllowed", message)


def _cluster_outputs(call: Call) -> dict[str, Any]:
    kubelet = {
        "objectId": str(uuid.uuid4()),
        "clientId": str(uuid.uuid4()),
        "resourceId": f"{call.id}-agentpool",
    }
    location = call.input("location")
    issuer = f"https://{location}.oic.prod-aks.azure.com/{call.world.setting('tenant')}/{uuid.uuid4()}/"
    issuer_profile = {
        "enabled": bool(call.input("oidcIssuerProfile.enabled")),
        "issuerURL": call.kept("oidcIssuerProfile.issuerURL") or issuer,
    }
    group = call.input("nodeResourceGroup") or f"MC_{call.id.split('/')[4]}_{call.name}_{location}"[:80]
    return {
        "name": call.name,
        "nodeResourceGroup": group,
        "identityProfile": call.kept("identityProfile") or {"kubeletidentity": kubelet},
        "oidcIssuerProfile": issuer_profile,
        "powerState": call.kept("powerState") or {"code": "Running"},
        **system_identity(call),
    }


RULES: Mapping[str, Mapping[str, Any]] = {
    CLUSTER: {
        "replaces": frozenset({"dnsPrefix", "nodeResourceGroup"}),
        "seconds": 300,
        "rules": (_refuse_stopped,),
        "outputs": _cluster_outputs,
    },
    POOL: {
        "replaces": frozenset(FIXED),
        "seconds": 120,
        "rules": (_refuse_stopped,),
        "delete_rules": (_refuse_stopped,),
    },
    "azure-native:containerservice:MaintenanceConfiguration": {
        "rules": (_refuse_stopped,),
        "delete_rules": (_refuse_stopped,),
    },
}
