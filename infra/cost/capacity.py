"""Replicas, nodes and cost for a given load, and the load that a number of nodes can take. Pure functions.

A core scores requests one after the other, so waiting time grows with utilization. It is modelled as an M/M/1 queue,
whose 99th percentile is `-ln(0.01) / (capacity - load)`. That overestimates the wait for requests of equal duration,
like these.
"""

import math
from dataclasses import dataclass

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cost.estimate import HOURS_PER_MONTH
from infra.cost.prices import VM, Confidence, snapshot

TARGET_UTILISATION = 0.7
MIN_REPLICAS = 2
"""So that one can fail or be replaced without an outage."""
RESERVED_CORES = {1: 0.06, 2: 0.1, 4: 0.14, 8: 0.18, 16: 0.26, 32: 0.42, 64: 0.74}
"""What AKS keeps for a node itself, by its cores (learn.microsoft.com/azure/aks/node-resource-reservations)."""
DAEMON_CORES = 0.37
"""Requested by AKS's pods on every node; `tests/simulation/kubernetes/add_ons.py` lists them, with sources."""
SYSTEM_CORES = 0.9
"""Requested by AKS's other pods, once in a cluster, on its system nodes."""
SURGE = 1
"""Pods that a rollout adds."""

DERIVED = ("scoring_nodes_min", "scoring_nodes_max", "replicas_min", "replicas_max")
"""The settings of `azure` that follow from a target load."""
MILLI = 1000


class CapacityError(PersonalizationError):
    """A load that no number of nodes can serve as required."""


@dataclass(frozen=True, kw_only=True)
class VmSize:
    """A VM size; `usd_per_hour` is for Linux, pay as you go, in `region`."""

    name: str
    cores: int
    usd_per_hour: float
    confidence: Confidence
    region: str = "eastus"


VM_SIZES = {
    price.id.removeprefix(VM): VmSize(
        name=price.id.removeprefix(VM),
        cores=price.cores,
        usd_per_hour=float(price.usd.likely),
        confidence=price.confidence,
        region=price.region,
    )
    for price in snapshot().rows.values()
    if price.cores is not None
}
"""Those with a price."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a load needs. `replicas_min` and `replicas_max` are the bounds of the horizontal pod autoscaler."""

    replicas: int
    replicas_min: int
    replicas_max: int
    cores: float
    nodes: int
    utilisation: float
    """The planned load of each core as a share of its capacity."""
    p99_seconds: float
    """Waiting and scoring inside the service at that utilization, without the network."""
    usd_per_month: float


def capacity_for(
    *,
    qps: float,
    p99_seconds: float,
    qps_per_core: float,
    size: VmSize,
    cores_per_replica: float = 1.0,
    utilisation: float = TARGET_UTILISATION,
) -> Capacity:
    """The capacity for `qps` requests per second; raises `CapacityError` if `p99_seconds` is not reachable.

    `qps_per_core` is the measured throughput of one core. The utilization is reduced if the p99 requires it.
    """
    _check(size, cores_per_replica)
    capacity = qps_per_core * min(cores_per_replica, 1.0)  # a replica is one process, which uses one core at most
    load = min(utilisation * capacity, capacity - math.log(100) / p99_seconds)
    if load <= 0:
        minimum = math.log(100) / capacity
        raise CapacityError(
            f"A p99 of {p99_seconds * 1000:g} ms is not possible with replicas that score {capacity:,.0f} requests a "
            f"second: even an idle one needs {minimum * 1000:.1f} ms. Allow more time, or use a faster core."
        )
    replicas = max(MIN_REPLICAS, math.ceil(qps / load))
    nodes = max(MIN_REPLICAS, math.ceil(replicas / replicas_per_node(size, cores_per_replica)))
    carried = qps / replicas
    return Capacity(
        replicas=replicas,
        replicas_min=replicas,
        replicas_max=2 * replicas,
        cores=replicas * cores_per_replica,
        nodes=nodes,
        utilisation=carried / capacity,
        p99_seconds=math.log(100) / (capacity - carried),
        usd_per_month=round(nodes * size.usd_per_hour * HOURS_PER_MONTH, 2),
    )


def qps_of(
    *,
    nodes: int,
    p99_seconds: float,
    qps_per_core: float,
    size: VmSize,
    cores_per_replica: float = 1.0,
    utilisation: float = TARGET_UTILISATION,
) -> float:
    """The requests per second that `nodes` serve within `p99_seconds`; 0 if they can't."""
    _check(size, cores_per_replica)
    capacity = qps_per_core * min(cores_per_replica, 1.0)
    load = min(utilisation * capacity, capacity - math.log(100) / p99_seconds)
    return max(0.0, load) * nodes * replicas_per_node(size, cores_per_replica)


def sized(azure: AzureSettings, *, qps: float, p99_ms: float, qps_per_core: float) -> AzureSettings:
    """`azure` with the numbers of pods and nodes derived from `qps`; each pod has `cpu_millicores`.

    Raises `ValueError` if the stack file also sets a derived value, or if the price table, which has the number of
    cores, does not contain the VM size; and `CapacityError` if no number of pods is enough.
    """
    stated = sorted(azure.model_fields_set & set(DERIVED))
    if stated:
        raise ValueError(f"scoring.target_qps derives {', '.join(stated)}: remove one of the two")
    size = VM_SIZES.get(azure.scoring_vm_size)
    if size is None:
        known = ", ".join(VM_SIZES)
        raise ValueError(
            f"scoring.target_qps needs the cores of scoring_vm_size {azure.scoring_vm_size}, which are unknown; "
            f"choose one of {known}, or set {', '.join(DERIVED)} instead"
        )
    cores = azure.cpu_millicores / MILLI
    found = capacity_for(
        qps=qps, p99_seconds=p99_ms / MILLI, qps_per_core=qps_per_core, size=size, cores_per_replica=cores
    )
    most_nodes = math.ceil((found.replicas_max + SURGE) / replicas_per_node(size, cores))
    derived = (found.nodes, max(found.nodes, most_nodes), found.replicas_min, found.replicas_max)
    return azure.model_copy(update=dict(zip(DERIVED, derived, strict=True)))


def require_room(azure: AzureSettings) -> None:
    """Raise `CapacityError` if the service's nodes have no room for its pods and one more in a rollout.

    A VM size whose cores are unknown passes. Memory is not counted.
    """
    shared = azure.shares_nodes
    part, nodes = ("system", azure.system_nodes_max) if shared else ("scoring", azure.scoring_nodes_max)
    size = VM_SIZES.get(azure.system_vm_size if shared else azure.scoring_vm_size)
    if size is None:
        return
    cores = azure.cpu_millicores / MILLI
    if not shared:
        _check(size, cores)
    first = replicas_per_node(size, cores, SYSTEM_CORES if shared else 0.0)
    room = first + (nodes - 1) * replicas_per_node(size, cores)
    if azure.replicas_max + SURGE > room:
        lower = f"lower it to {room - SURGE}, or " if room - SURGE >= azure.replicas_min else ""
        other = "set `scoring_nodes_max` for nodes of the service's own" if shared else "raise `scoring_nodes_max`"
        raise CapacityError(
            f"replicas_max is {azure.replicas_max}, but {nodes} {part} node(s) {size.name} have room for "
            f"{max(room, 0)} pods of {cores:g} cores beside AKS's own, and a rollout adds one: {lower}{other}."
        )


def replicas_per_node(size: VmSize, cores_per_replica: float, others: float = 0.0) -> int:
    """How many replicas fit on a node, beside AKS's pods on every node and `others`, in cores."""
    return math.floor((_free_cores(size) - others) / cores_per_replica)


def _free_cores(size: VmSize) -> float:
    """Cores that pods can request, without those of AKS's own pods on every node."""
    kept = [reserved for cores, reserved in RESERVED_CORES.items() if cores <= size.cores]
    return size.cores - kept[-1] - DAEMON_CORES


def _check(size: VmSize, cores_per_replica: float) -> None:
    if replicas_per_node(size, cores_per_replica) < 1:
        raise CapacityError(
            f"A replica of {cores_per_replica:g} cores does not fit on a {size.name}, where Kubernetes leaves "
            f"{_free_cores(size):g} of {size.cores} cores. Choose a larger size or smaller replicas."
        )
