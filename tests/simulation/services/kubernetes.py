"""AKS clusters, node pools and maintenance windows."""

import uuid
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, ResourceType
from tests.simulation.services import pools
from tests.simulation.services.principals import system_identity
from tests.simulation.services.resources import GROUP

CLUSTER = GROUP + "/providers/Microsoft.ContainerService/managedClusters/{resourceName}"


def _serial(identity: str) -> str:
    """A cluster and its parts accept one write at a time."""
    parts = identity.split("/")
    return "/".join(parts[: parts.index("managedClusters") + 2])


def _refuse_stopped(call: Call) -> None:
    """Raise for a change of a stopped cluster or its parts; it can only be started or deleted as a whole.

    Source: learn.microsoft.com/azure/aks/start-stop-cluster. Nobody has seen the code and the wording.
    """
    cluster = call.world.get(_serial(call.id))
    if cluster is not None and cluster.outputs.get("powerState", {}).get("code") == "Stopped":
        message = f"The managed cluster '{cluster.id}' is stopped: it can only be started or deleted."
        raise RefusedError(409, "OperationNotAllowed", message)


def _cluster_outputs(call: Call) -> dict[str, Any]:
    old = call.old.outputs if call.old else {}
    kubelet = old.get("identityProfile") or {
        "kubeletidentity": {
            "objectId": str(uuid.uuid4()),
            "clientId": str(uuid.uuid4()),
            "resourceId": f"{call.id}-agentpool",
        }
    }
    plane = call.world.setting("kubernetes")
    location = call.input("location")
    issuer = f"https://{location}.oic.prod-aks.azure.com/{call.world.setting('tenant')}/{uuid.uuid4()}/"
    known = old.get("oidcIssuerProfile", {}).get("issuerURL")
    group = call.input("nodeResourceGroup") or f"MC_{call.id.split('/')[4]}_{call.name}_{location}"[:80]
    return {
        "name": call.name,
        "fqdn": plane.get("server", f"{call.input('dnsPrefix')}.hcp.{location}.azmk8s.io").removeprefix("https://"),
        "nodeResourceGroup": group,
        "identityProfile": kubelet,
        "oidcIssuerProfile": {"enabled": bool(call.input("oidcIssuerProfile.enabled")), "issuerURL": known or issuer},
        "powerState": old.get("powerState", {"code": "Running"}),
        "currentKubernetesVersion": call.input("kubernetesVersion"),
        "provisioningState": "Succeeded",
        **system_identity(call),
    }


def _pool_outputs(call: Call) -> dict[str, Any]:
    return {"name": call.name, "type": "VirtualMachineScaleSets", "provisioningState": "Succeeded"}


TYPES = [
    ResourceType(
        pulumi_type=pools.CLUSTER_TYPE,
        model="azure.mgmt.containerservice.models:ManagedCluster",
        path=CLUSTER,
        replaces=frozenset({"location", "dnsPrefix", "nodeResourceGroup"}),
        seconds=300,
        rules=(_refuse_stopped,),
        outputs=_cluster_outputs,
        shown=pools.with_separate_pools,
        serial=_serial,
    ),
    ResourceType(
        pulumi_type=pools.POOL_TYPE,
        model="azure.mgmt.containerservice.models:AgentPool",
        path=CLUSTER + "/agentPools/{agentPoolName}",
        replaces=frozenset(pools.FIXED),
        seconds=120,
        rules=(_refuse_stopped,),
        delete_rules=(_refuse_stopped,),
        outputs=_pool_outputs,
        serial=_serial,
    ),
    ResourceType(
        pulumi_type="azure-native:containerservice:MaintenanceConfiguration",
        model="azure.mgmt.containerservice.models:MaintenanceConfiguration",
        path=CLUSTER + "/maintenanceConfigurations/{configName}",
        rules=(_refuse_stopped,),
        delete_rules=(_refuse_stopped,),
        serial=_serial,
    ),
]
