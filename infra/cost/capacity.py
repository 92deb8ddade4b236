"""Replicas and nodes for a given load. Pure functions."""

import math

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cost.prices import VM, snapshot

QPS_PER_CORE = 10_000.0
"""Single-record requests per second: half of what `make bench-serving` demands of a core, because a node's virtual core
is half of a real one."""
TARGET_UTILISATION = 0.7
"""Of a pod. Requests wait little at this load, and the autoscaler has time to add pods."""
MIN_REPLICAS = 2
"""So that one can fail or be replaced without an outage."""
RESERVED_CORES = {1: 0.06, 2: 0.1, 4: 0.14, 8: 0.18, 16: 0.26, 32: 0.42, 64: 0.74}
"""What AKS keeps for a node itself, by its cores (learn.microsoft.com/azure/aks/node-resource-reservations)."""
DAEMON_CORES = 0.37
"""Requested by AKS's pods on every node, as `kubectl describe node` showed on real ones in 2025 (Azure/AKS#5251).

azure-cns 40m, ip-masq-agent 100m, cloud-node-manager 50m, two CSI drivers 30m each, the Key Vault add-on 120m; Cilium
requests none (Azure/AKS#5244).
"""
SYSTEM_CORES = 0.9
"""Requested by AKS's other pods, once in a cluster, on its system nodes: CoreDNS 220m, konnectivity 60m, metrics-server
312m, workload identity 200m, the image cleaner 100m."""
SURGE = 1
"""Pods that a rollout adds."""
MILLI = 1000


class CapacityError(PersonalizationError):
    """Nodes without room for the pods, or of an unknown size."""


def sized(azure: AzureSettings, *, qps: float, qps_per_core: float) -> AzureSettings:
    """`azure` with the numbers of pods and nodes for `qps` requests a second; each pod has `cpu_millicores`.

    `qps_per_core` is the throughput of one core. Raises `CapacityError` if the price table, which has the number of
    cores, does not contain the VM size, or if a pod does not fit on it.
    """
    cores = _cores().get(azure.scoring_vm_size)
    if cores is None:
        raise CapacityError(
            f"The cores of azure.scoring_vm_size {azure.scoring_vm_size} are unknown: choose one of "
            f"{', '.join(_cores())}, or leave --qps out."
        )
    each = azure.cpu_millicores / MILLI
    on_one = _require_place(azure.scoring_vm_size, cores, each)
    capacity = TARGET_UTILISATION * qps_per_core * min(each, 1.0)  # a pod is one process, which uses one core at most
    fewest = max(MIN_REPLICAS, math.ceil(qps / capacity))
    most = 2 * fewest
    nodes = max(MIN_REPLICAS, math.ceil(fewest / on_one))
    return azure.model_copy(
        update={
            "replicas_min": fewest,
            "replicas_max": most,
            "scoring_nodes_min": nodes,
            "scoring_nodes_max": max(nodes, math.ceil((most + SURGE) / on_one)),
        }
    )


def require_room(azure: AzureSettings) -> None:
    """Raise `CapacityError` if the service's nodes have no room for its pods and one more in a rollout.

    A VM size whose cores are unknown passes. Memory is not counted.
    """
    shared = azure.shares_nodes
    part, nodes = ("system", azure.system_nodes_max) if shared else ("scoring", azure.scoring_nodes_max)
    size = azure.system_vm_size if shared else azure.scoring_vm_size
    cores = _cores().get(size)
    if cores is None:
        return
    each = azure.cpu_millicores / MILLI
    if not shared:
        _require_place(size, cores, each)
    first = replicas_per_node(cores, each, SYSTEM_CORES if shared else 0.0)
    room = first + (nodes - 1) * replicas_per_node(cores, each)
    if azure.replicas_max + SURGE > room:
        lower = f"lower it to {room - SURGE}, or " if room - SURGE >= azure.replicas_min else ""
        other = "set `scoring_nodes_max` for nodes of the service's own" if shared else "raise `scoring_nodes_max`"
        raise CapacityError(
            f"replicas_max is {azure.replicas_max}, but {nodes} {part} node(s) {size} have room for "
            f"{max(room, 0)} pods of {each:g} cores beside AKS's own, and a rollout adds one: {lower}{other}."
        )


def replicas_per_node(cores: int, cores_per_replica: float, others: float = 0.0) -> int:
    """How many replicas fit on a node, beside AKS's pods on every node and `others`, in cores."""
    return math.floor((_free_cores(cores) - others) / cores_per_replica)


def _cores() -> dict[str, int]:
    """The cores of each VM size in the price table."""
    rows = snapshot().rows.values()
    return {price.id.removeprefix(VM): price.cores for price in rows if price.cores is not None}


def _free_cores(cores: int) -> float:
    """Cores that pods can request, without those of AKS's own pods on every node."""
    kept = [reserved for known, reserved in RESERVED_CORES.items() if known <= cores]
    return cores - kept[-1] - DAEMON_CORES


def _require_place(size: str, cores: int, cores_per_replica: float) -> int:
    """How many replicas fit on a node of a size. Raises `CapacityError` if none does."""
    fit = replicas_per_node(cores, cores_per_replica)
    if fit < 1:
        raise CapacityError(
            f"A replica of {cores_per_replica:g} cores does not fit on a {size}, where Kubernetes leaves "
            f"{_free_cores(cores):g} of {cores} cores. Choose a larger size or smaller replicas."
        )
    return fit
