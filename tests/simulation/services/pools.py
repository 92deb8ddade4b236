"""What AKS refuses about a node pool, in the cluster's body or as a resource: size, quota, changes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.resource_type import Call
from tests.simulation.services.sizes import ALL_FAMILIES, DEFAULT_QUOTA, SIZES, Size
from tests.simulation.world import Record, World, key_of

CLUSTER_TYPE = "azure-native:containerservice:ManagedCluster"
POOL_TYPE = "azure-native:containerservice:AgentPool"
FIXED = ("vmSize", "osType", "osDiskType", "osDiskSizeGB", "availabilityZones", "maxPods")
"""What can't change after a pool's creation, according to the API's own descriptions."""
PATH = ("resourceGroupName", "resourceName", "agentPoolName")


def refuse_pool_call(call: Call) -> None:
    """Check a pool that is a resource of its own."""
    if call.old is not None:
        refuse_fixed(call.old.inputs, call.inputs, call.name)
    refuse_pool(call, call.inputs, call.name)


def refuse_pool(call: Call, pool: Mapping[str, Any], name: str) -> None:
    """Raise if AKS would refuse this pool."""
    size = SIZES.get(str(pool.get("vmSize")))
    if size is None:
        raise RefusedError(
            400, "VMSizeNotSupported", f"The VM size '{pool.get('vmSize')}' of pool '{name}' is not available."
        )
    _refuse_quota(call, pool, size, name)


def refuse_fixed(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> None:
    """Raise if a pool would change in place what is fixed (Azure/bicep-registry-modules#7130)."""
    for fixed in FIXED:
        if (old.get(fixed) or None) != (new.get(fixed) or None):
            message = f"Changing property 'agentPoolProfile.{fixed}' of pool '{name}' is not allowed."
            raise RefusedError(400, "PropertyChangeNotAllowed", message)


def with_separate_pools(world: World, cluster: Record) -> Record:
    """The cluster as AKS shows it: its list also has the pools that are resources of their own."""
    separate = [
        {"name": pool.id.rpartition("/")[2], **{key: value for key, value in pool.inputs.items() if key not in PATH}}
        for pool in world.all(POOL_TYPE)
        if key_of(pool.id).startswith(key_of(cluster.id) + "/")
    ]
    profiles = [*cluster.inputs.get("agentPoolProfiles", []), *separate]
    return replace(cluster, inputs={**cluster.inputs, "agentPoolProfiles": profiles}) if separate else cluster


def used_vcpus(world: World) -> Counter[str]:
    """vCPUs in use by VM family, over all clusters and job runs, and of all families as `ALL_FAMILIES`."""
    used: Counter[str] = Counter()
    for vcpus in world.setting("run_vcpus").values():
        used.update(vcpus)
    for cluster in world.all(CLUSTER_TYPE):
        for profile in cluster.inputs.get("agentPoolProfiles", []):
            _count(used, profile)
    for pool in world.all(POOL_TYPE):
        _count(used, pool.inputs)
    used[ALL_FAMILIES] = used.total()
    return used


def vcpu_limit(world: World, family: str) -> int:
    """The quota of a VM family, or of all families."""
    every = DEFAULT_QUOTA * len({size.family for size in SIZES.values()})
    return int(world.setting("vcpu_quota").get(family, every if family == ALL_FAMILIES else DEFAULT_QUOTA))


def _count(used: Counter[str], pool: Mapping[str, Any]) -> None:
    size = SIZES.get(str(pool.get("vmSize")))
    if size is not None:
        used[size.family] += size.vcpus * int(pool.get("count", 1))


def _refuse_quota(call: Call, pool: Mapping[str, Any], size: Size, name: str) -> None:
    used = used_vcpus(call.world)
    wanted = size.vcpus * int(pool.get("count", 1))
    already = size.vcpus * int((call.old.inputs if call.old else {}).get("count", 0)) if call.old else 0
    for family in (size.family, ALL_FAMILIES):
        left = vcpu_limit(call.world, family) - used[family] + already
        if wanted <= left:
            continue
        where = str(call.input("location", ""))
        message = (
            f"Insufficient vcpu quota requested {wanted}, remaining {left} for family {family} for region {where}."
        )
        if family == ALL_FAMILIES:
            message = (
                f"Insufficient regional vcpu quota left for location {where}. left regional vcpu quota {left}, "
                f"requested quota {wanted}."
            )
        message += " Surge nodes would also consume vcpu quota."
        raise RefusedError(400, "ErrCode_InsufficientVCPUQuota", f"{message} (Pool '{name}'.)")
