"""Sizes a stack on Azure for a load: pods, nodes and the bounds of both autoscalers follow from requests a second."""

import math

from infra.azure_settings import AzureSettings
from infra.cost.capacity import VM_SIZES, capacity_for, replicas_per_node

DERIVED = ("scoring_nodes_min", "scoring_nodes_max", "replicas_min", "replicas_max")
"""The settings of `azure` that a target stands for."""

MILLI = 1000


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
