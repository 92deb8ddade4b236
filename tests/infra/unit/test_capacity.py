"""Pods and nodes for a load."""

import pytest

from infra.cost.capacity import QPS_PER_CORE, CapacityError, replicas_per_node, sized
from tests.support.azure_stack import azure_stack


@pytest.mark.parametrize(("cores", "fit"), [(2, 3), (4, 6), (8, 14), (16, 30)])
def test_a_node_keeps_what_aks_takes(cores: int, fit: int) -> None:
    # 2000 - 100 - 370 = 1530; 4000 - 140 - 370 = 3490; 8000 - 180 - 370 = 7450; 16000 - 260 - 370 = 15370 millicores
    assert replicas_per_node(cores, 0.5) == fit


@pytest.mark.parametrize(
    ("qps", "per_core", "pods", "nodes"),
    [
        # Half a core scores 5,000 requests a second: 3,500 at 70 % utilisation. A node of two cores has room for three
        # such pods beside Kubernetes, and a rollout adds one to the eighteen.
        (30_000, QPS_PER_CORE, (9, 18), (3, 7)),
        (30_000, 20_000, (5, 10), (2, 4)),
        (10, QPS_PER_CORE, (2, 4), (2, 2)),
    ],
)
def test_a_load_sizes_pods_and_nodes(
    qps: float, per_core: float, pods: tuple[int, int], nodes: tuple[int, int]
) -> None:
    azure = sized(azure_stack(), qps=qps, qps_per_core=per_core)
    assert (azure.replicas_min, azure.replicas_max) == pods
    assert (azure.scoring_nodes_min, azure.scoring_nodes_max) == nodes


@pytest.mark.parametrize(
    ("azure", "sentence"),
    [
        ({"scoring_vm_size": "Standard_X1"}, r"cores of azure\.scoring_vm_size Standard_X1 are unknown"),
        ({"cpu_millicores": 2000}, "does not fit on a Standard_D2ds_v5"),
    ],
)
def test_nodes_that_cannot_be_sized_are_refused(azure: dict[str, object], sentence: str) -> None:
    with pytest.raises(CapacityError, match=sentence):
        sized(azure_stack(**azure), qps=1000, qps_per_core=QPS_PER_CORE)
