"""AKS clusters, node pools and maintenance windows."""

import ipaddress
import uuid
from typing import Any

from tests.simulation.published import KUBERNETES
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call, NameRule, ResourceType
from tests.simulation.services import pools
from tests.simulation.services.injection import refuse_cluster_network, refuse_pool_network
from tests.simulation.services.principals import system_identity
from tests.simulation.services.resources import GROUP

CLUSTER = GROUP + "/providers/Microsoft.ContainerService/managedClusters/{resourceName}"
MANAGED_WINDOWS = frozenset({"default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"})
MIN_WINDOW_HOURS = 4


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


def _refuse_cluster_shape(call: Call) -> None:
    if call.input("disableLocalAccounts") and not call.input("aadProfile.managed"):
        raise RefusedError(400, "BadRequest", "Local accounts can only be disabled on a cluster with managed Entra ID.")
    if call.input("aadProfile.enableAzureRBAC") and call.input("enableRBAC") is False:
        raise RefusedError(400, "BadRequest", "Azure RBAC needs Kubernetes RBAC.")
    workload = call.input("securityProfile.workloadIdentity.enabled")
    if workload and not call.input("oidcIssuerProfile.enabled"):
        raise RefusedError(400, "BadRequest", "Workload identity needs the OIDC issuer.")
    network = call.input("networkProfile", {})
    if network.get("networkPolicy") == "cilium" and network.get("networkDataplane") != "cilium":
        raise RefusedError(400, "BadRequest", "networkPolicy cilium needs networkDataplane cilium.")
    if network.get("networkPluginMode") == "overlay" and network.get("networkPlugin") != "azure":
        raise RefusedError(400, "BadRequest", "networkPluginMode overlay needs networkPlugin azure.")


def _refuse_ranges(call: Call) -> None:
    """Given ranges must not overlap, and must contain the DNS address, as AKS' page on networking says."""
    network = call.input("networkProfile", {})
    texts = {name: network[name] for name in ("podCidr", "serviceCidr") if network.get(name)}
    ranges = {name: ipaddress.ip_network(text) for name, text in texts.items()}
    if len(ranges) == len({"podCidr", "serviceCidr"}) and ranges["podCidr"].overlaps(ranges["serviceCidr"]):
        message = f"The service CIDR {texts['serviceCidr']} overlaps with the pod CIDR {texts['podCidr']}."
        raise RefusedError(400, "ServiceCidrOverlapExistingSubnetsCidr", message)
    if (address := network.get("dnsServiceIP")) and (services := ranges.get("serviceCidr")):
        wanted = ipaddress.ip_address(address)
        if wanted not in services or wanted == services[1]:
            message = f"The DNS service IP {address} must be in {services} and not its first address."
            raise RefusedError(400, "DnsServiceIpOutOfServiceCidr", message)


def _refuse_version(call: Call) -> None:
    version = str(call.input("kubernetesVersion"))
    if ".".join(version.split(".")[:2]) not in KUBERNETES:
        message = f"Version {version} is not supported in this region; one of {sorted(KUBERNETES)}."
        raise RefusedError(400, "K8sVersionNotSupported", message)


def _refuse_pools(call: Call) -> None:
    profiles = call.input("agentPoolProfiles", [])
    if not any(profile.get("mode") == "System" for profile in profiles):
        raise RefusedError(400, "BadRequest", "A cluster needs at least one pool of mode System.")
    if call.old is not None:
        known = {profile["name"]: profile for profile in call.old.inputs.get("agentPoolProfiles", [])}
        for profile in profiles:
            pools.refuse_fixed(known.get(profile["name"], profile), profile, profile["name"])
    for profile in profiles:
        pools.refuse_pool(call, profile, profile["name"])


def _refuse_oidc_off(call: Call) -> None:
    before = call.old is not None and (call.old.inputs.get("oidcIssuerProfile") or {}).get("enabled")
    if before and not call.input("oidcIssuerProfile.enabled"):
        raise RefusedError(400, "BadRequest", "The OIDC issuer can't be disabled once it is enabled.")


def _refuse_window(call: Call) -> None:
    if call.name not in MANAGED_WINDOWS:
        raise RefusedError(
            400, "InvalidParameter", f"'{call.name}' is no maintenance configuration; one of {sorted(MANAGED_WINDOWS)}."
        )
    hours = call.input("maintenanceWindow.durationHours")
    if call.name != "default" and (hours is None or hours < MIN_WINDOW_HOURS):
        raise RefusedError(400, "InvalidParameter", f"A window lasts at least {MIN_WINDOW_HOURS} hours, not {hours}.")


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
    issuer = (
        plane.get("issuer")
        or f"https://{location}.oic.prod-aks.azure.com/{call.world.setting('tenant')}/{uuid.uuid4()}/"
    )
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
        name=NameRule(pattern="[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", shortest=1, longest=63),
        replaces=frozenset({"location", "dnsPrefix", "nodeResourceGroup"}),
        fixed=frozenset(
            {
                "networkProfile.networkPlugin",
                "networkProfile.podCidr",
                "networkProfile.serviceCidr",
                "networkProfile.dnsServiceIP",
                "networkProfile.loadBalancerSku",
                "networkProfile.outboundType",
                "apiServerAccessProfile.enablePrivateCluster",
                "enableRBAC",
            }
        ),
        seconds=300,
        rules=(
            _refuse_stopped,
            _refuse_cluster_shape,
            _refuse_ranges,
            _refuse_version,
            _refuse_oidc_off,
            _refuse_pools,
            refuse_cluster_network,
        ),
        outputs=_cluster_outputs,
        shown=pools.with_separate_pools,
        serial=_serial,
    ),
    ResourceType(
        pulumi_type=pools.POOL_TYPE,
        model="azure.mgmt.containerservice.models:AgentPool",
        path=CLUSTER + "/agentPools/{agentPoolName}",
        name=NameRule(pattern="[a-z][a-z0-9]*", shortest=1, longest=12),
        replaces=frozenset(pools.FIXED),
        fixed=frozenset(pools.FIXED),
        seconds=120,
        rules=(_refuse_stopped, pools.refuse_pool_call, refuse_pool_network),
        delete_rules=(_refuse_stopped, pools.refuse_last_system_pool),
        outputs=_pool_outputs,
        serial=_serial,
    ),
    ResourceType(
        pulumi_type="azure-native:containerservice:MaintenanceConfiguration",
        model="azure.mgmt.containerservice.models:MaintenanceConfiguration",
        path=CLUSTER + "/maintenanceConfigurations/{configName}",
        rules=(_refuse_stopped, _refuse_window),
        delete_rules=(_refuse_stopped,),
        outputs=lambda call: {"name": call.name},
        serial=_serial,
    ),
]
