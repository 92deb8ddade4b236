"""Node pools: in the cluster's body, or resources of their own."""

from dataclasses import replace

from tests.simulation.world import Record, World, key_of

CLUSTER_TYPE = "azure-native:containerservice:ManagedCluster"
POOL_TYPE = "azure-native:containerservice:AgentPool"
FIXED = ("vmSize", "osType", "osDiskType", "osDiskSizeGB", "availabilityZones", "maxPods")
"""What can't change after a pool's creation, according to the API's own descriptions."""
PATH = ("resourceGroupName", "resourceName", "agentPoolName")


def with_separate_pools(world: World, cluster: Record) -> Record:
    """The cluster as AKS shows it: its list also has the pools that are resources of their own."""
    separate = [
        {"name": pool.id.rpartition("/")[2], **{key: value for key, value in pool.inputs.items() if key not in PATH}}
        for pool in world.all(POOL_TYPE)
        if key_of(pool.id).startswith(key_of(cluster.id) + "/")
    ]
    profiles = [*cluster.inputs.get("agentPoolProfiles", []), *separate]
    return replace(cluster, inputs={**cluster.inputs, "agentPoolProfiles": profiles}) if separate else cluster
