"""What fits on the simulated AKS's nodes: the scheduler is real, the nodes leave what AKS's nodes leave."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import binaries_or_skip
from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.changes import changed
from tests.simulation.kubernetes.aks import Aks
from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services.pools import CLUSTER_TYPE
from tests.simulation.world import World
from tests.support.services import wait_until

pytestmark = pytest.mark.cluster

PODS = "/api/v1/namespaces/default/pods"
SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"
DAEMONS = {
    "azure-cns",
    "azure-ip-masq-agent",
    "cloud-node-manager",
    "csi-azuredisk-node",
    "csi-azurefile-node",
    "cilium",
    "aks-secrets-store-csi-driver",
    "aks-secrets-store-provider-azure",
}
ONCE = 13
"""Pods of the system that aren't on every node: two each of DNS, tunnel, metrics, webhook and Cilium's operator, two
autoscalers of these, and the image cleaner."""
Start = Callable[[str], ControlPlane]


@pytest.fixture
def start(world: World, arm: AzureNative, tmp_path: Path) -> Iterator[Start]:
    """Start a cluster whose only node has the given VM size."""
    plane = ControlPlane(tmp_path / "plane", binaries_or_skip())
    running = Aks(world, plane)

    def begin(size: str) -> ControlPlane:
        create_all(arm, until=CLUSTER_TYPE)
        pool = changed(example(CLUSTER_TYPE), "agentPoolProfiles.0.vmSize", size)
        arm.create(CLUSTER_TYPE, changed(pool, "agentPoolProfiles.0.osDiskSizeGB", 64))
        plane.start()
        running.start()
        wait_until(lambda: len(placed(plane, SYSTEM_PODS)) == len(DAEMONS) + ONCE, seconds=60)
        return plane

    yield begin
    if running.is_alive():
        running.stop()
    plane.stop()


def pod(name: str, millicores: int) -> dict[str, Any]:
    """A pod that requests so much."""
    requests = {"cpu": f"{millicores}m", "memory": "768Mi"}
    container = {"name": "one", "image": "one", "resources": {"requests": requests}}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def placed(plane: ControlPlane, path: str = PODS) -> set[str]:
    """The pods that have a node."""
    return {item["metadata"]["name"] for item in plane.items(path) if item["spec"].get("nodeName")}


def refused(plane: ControlPlane) -> list[str]:
    """What the scheduler says about pods that fit nowhere."""
    conditions = [item for one in plane.items(PODS) for item in one["status"].get("conditions") or ()]
    return [item["message"] for item in conditions if item.get("reason") == "Unschedulable"]


def test_a_node_of_two_cores_has_room_for_two_pods_of_600_millicores_not_three(start: Start) -> None:
    plane = start("Standard_D2ds_v5")
    (node,) = plane.items("/api/v1/nodes")
    assert node["status"]["allocatable"]["cpu"] == "1900m"
    free_of_single_pods(plane)
    for name in ("first", "second", "third"):
        plane.apply(f"{PODS}/{name}", pod(name, 600))
    wait_until(lambda: refused(plane) != [] and len(placed(plane)) == 2)
    assert "Insufficient cpu" in refused(plane)[0]


def test_the_service_of_dev_fits_on_its_node_with_the_pod_of_a_rollout_and_no_more(start: Start) -> None:
    plane = start("Standard_D4ds_v5")
    for number in range(6):  # four of half a core, one more during a rollout, and one too many
        plane.apply(f"{PODS}/scoring-{number}", pod(f"scoring-{number}", 500))
    wait_until(lambda: len(placed(plane)) == 5 and len(refused(plane)) == 1)
    daemons = {item["metadata"]["labels"]["app"] for item in plane.items(SYSTEM_PODS) if owner(item) == "DaemonSet"}
    assert daemons == DAEMONS


def owner(item: dict[str, Any]) -> str:
    """The kind of a pod's owner."""
    return str(item["metadata"]["ownerReferences"][0]["kind"])


def free_of_single_pods(plane: ControlPlane) -> None:
    """Delete what runs once in a cluster, as on a node of a second pool."""
    deployments = "/apis/apps/v1/namespaces/kube-system/deployments"
    for item in plane.items(deployments):
        plane.delete(f"{deployments}/{item['metadata']['name']}")
    wait_until(lambda: all(owner(item) == "DaemonSet" for item in plane.items(SYSTEM_PODS)), seconds=60)
