"""How many replicas, nodes and dollars a given load needs, and what load a number of nodes can take. Pure functions.

A core scores requests one after the other, so each waits for those before it, and the busier the core, the longer.
The wait is that of an M/M/1 queue, whose 99th percentile is `-ln(0.01) / (capacity - load)`; it errs on the safe side
for requests that take equally long, as these do.
"""

import math
from dataclasses import dataclass

from features.errors import PersonalizationError
from infra.azure_settings import AzureSettings
from infra.cost.estimate import HOURS_PER_MONTH
from infra.cost.prices import VM, Confidence, snapshot

TARGET_UTILISATION = 0.7
MIN_REPLICAS = 2
"""So that one may go down, or be renewed, without an outage."""
RESERVED_CORES = 0.5
"""Of each node, for Kubernetes itself and what runs on every node."""

DERIVED = ("scoring_nodes_min", "scoring_nodes_max", "replicas_min", "replicas_max")
"""The settings of `azure` that follow from a target load."""
MILLI = 1000


class CapacityError(PersonalizationError):
    """A load that no number of nodes can bear as wished."""


@dataclass(frozen=True, kw_only=True)
class VmSize:
    """A size of nodes; `usd_per_hour` is Linux, pay as you go, East US unless `region` says otherwise."""

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
"""Those that the table of prices has."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a load needs. `replicas_min` and `replicas_max` are the bounds of the autoscaler (HPA)."""

    replicas: int
    replicas_min: int
    replicas_max: int
    cores: float
    nodes: int
    utilisation: float
    """The share of its capacity that each core is to carry."""
    p99_seconds: float
    """Of the wait and the score inside the service, at that utilisation; the network comes on top."""
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
    """What bears `qps` requests a second; raises `CapacityError` when `p99_seconds` cannot be had.

    `qps_per_core` is what one core was measured to score. The utilisation is lowered where the p99 asks for it.
    """
    _check(size, cores_per_replica)
    capacity = qps_per_core * min(cores_per_replica, 1.0)  # a replica is one process, which uses one core at most
    load = min(utilisation * capacity, capacity - math.log(100) / p99_seconds)
    if load <= 0:
        minimum = math.log(100) / capacity
        raise CapacityError(
            f"A p99 of {p99_seconds * 1000:g} ms cannot be had from replicas that score {capacity:,.0f} requests a "
            f"second: even an idle one needs {minimum * 1000:.1f} ms. Ask for more, or measure a faster core."
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
    """The requests a second that so many nodes bear within `p99_seconds`; 0 when they can't."""
    _check(size, cores_per_replica)
    capacity = qps_per_core * min(cores_per_replica, 1.0)
    load = min(utilisation * capacity, capacity - math.log(100) / p99_seconds)
    return max(0.0, load) * nodes * replicas_per_node(size, cores_per_replica)


def sized(azure: AzureSettings, *, qps: float, p99_ms: float, qps_per_core: float) -> AzureSettings:
    """`azure` with its pods and nodes derived from `qps`, each pod with its `cpu_millicores`.

    Raises `ValueError` when the stack file also states what is derived, or when the VM size is not in the table of
    prices, which is where its cores are known from; and `CapacityError` when no number of pods would do.
    """
    stated = sorted(azure.model_fields_set & set(DERIVED))
    if stated:
        raise ValueError(f"scoring.target_qps derives {', '.join(stated)}: remove either")
    size = VM_SIZES.get(azure.scoring_vm_size)
    if size is None:
        known = ", ".join(VM_SIZES)
        raise ValueError(
            f"scoring.target_qps needs the cores of scoring_vm_size {azure.scoring_vm_size}, which are not known; "
            f"choose one of {known}, or state {', '.join(DERIVED)} instead"
        )
    cores = azure.cpu_millicores / MILLI
    found = capacity_for(
        qps=qps, p99_seconds=p99_ms / MILLI, qps_per_core=qps_per_core, size=size, cores_per_replica=cores
    )
    most_nodes = math.ceil(found.replicas_max / replicas_per_node(size, cores))
    derived = (found.nodes, max(found.nodes, most_nodes), found.replicas_min, found.replicas_max)
    return azure.model_copy(update=dict(zip(DERIVED, derived, strict=True)))


def replicas_per_node(size: VmSize, cores_per_replica: float) -> int:
    """How many replicas fit on a node beside Kubernetes itself."""
    return math.floor((size.cores - RESERVED_CORES) / cores_per_replica)


def _check(size: VmSize, cores_per_replica: float) -> None:
    if replicas_per_node(size, cores_per_replica) < 1:
        raise CapacityError(
            f"A replica of {cores_per_replica:g} cores does not fit on a {size.name}, which has {size.cores} less "
            f"{RESERVED_CORES:g} for Kubernetes. Choose a larger size or smaller replicas."
        )
