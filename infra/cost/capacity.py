"""Replicas and nodes for a given load. Pure functions.

A core scores requests one after the other, so waiting time grows with utilization. It is modelled as an M/M/1 queue,
whose 99th percentile is `-ln(0.01) / (capacity - load)`. That overestimates the wait for requests of equal duration,
like these.
"""

import math

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cost.prices import VM, snapshot

TARGET_UTILISATION = 0.7
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

DERIVED = ("scoring_nodes_min", "scoring_nodes_max", "replicas_min", "replicas_max")
"""The settings of `azure` that follow from a target load."""
MILLI = 1000


class CapacityError(PersonalizationError):
    """A load that no number of nodes can serve as required."""


def replicas_for(*, qps: float, p99_seconds: float, capacity: float) -> int:
    """The replicas that serve `qps` requests per second; raises `CapacityError` if `p99_seconds` is not reachable.

    `capacity` is what one replica can score in a second. It is used up to `TARGET_UTILISATION`, or less if the p99
    requires it.
    """
    load = min(TARGET_UTILISATION * capacity, capacity - math.log(100) / p99_seconds)
    if load <= 0:
        minimum = math.log(100) / capacity
        raise CapacityError(
            f"A p99 of {p99_seconds * 1000:g} ms is not possible with replicas that score {capacity:,.0f} requests a "
            f"second: even an idle one needs {minimum * 1000:.1f} ms. Allow more time, or use a faster core."
        )
    return max(MIN_REPLICAS, math.ceil(qps / load))


def sized(azure: AzureSettings, *, qps: float, p99_ms: float, qps_per_core: float) -> AzureSettings:
    """`azure` with the numbers of pods and nodes derived from `qps`; each pod has `cpu_millicores`.

    `qps_per_core` is the measured throughput of one core. Raises `ValueError` if the stack file also sets a derived
    value, or if the price table, which has the number of cores, does not contain the VM size; and `CapacityError` if no
    number of pods is enough.
    """
    stated = sorted(azure.model_fields_set & set(DERIVED))
    if stated:
        raise ValueError(f"scoring.target_qps derives {', '.join(stated)}: remove one of the two")
    cores = _cores().get(azure.scoring_vm_size)
    if cores is None:
        raise ValueError(
            f"scoring.target_qps needs the cores of scoring_vm_size {azure.scoring_vm_size}, which are unknown; "
            f"choose one of {', '.join(_cores())}, or set {', '.join(DERIVED)} instead"
        )
    each = azure.cpu_millicores / MILLI
    on_one = _require_place(azure.scoring_vm_size, cores, each)
    capacity = qps_per_core * min(each, 1.0)  # a replica is one process, which uses one core at most
    fewest = replicas_for(qps=qps, p99_seconds=p99_ms / MILLI, capacity=capacity)
    most = 2 * fewest
    nodes = max(MIN_REPLICAS, math.ceil(fewest / on_one))
    derived = (nodes, max(nodes, math.ceil((most + SURGE) / on_one)), fewest, most)
    return azure.model_copy(update=dict(zip(DERIVED, derived, strict=True)))


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
