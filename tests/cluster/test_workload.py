"""The service's manifests, applied to a real API server and rolled out by its controllers.

Autoscaling and the network policy aren't exercised, because nothing measures these pods or routes to them: the API
server accepts both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("pulumi_kubernetes", reason="needs `uv sync --inexact --extra azure`")

from tests.cluster.objects import NAMESPACE, PATHS, create_scoring_pool
from tests.infra.graph.workload_program import manifests
from tests.simulation.kubernetes.aks import NODES, Aks
from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.requirements import need_azure_packages
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.world import World
from tests.support.services import wait_until

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster(plane: ControlPlane, tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane whose nodes have the scoring pool's labels and taints."""
    need_azure_packages()
    world = World(tmp_path / "world")
    arm = AzureNative(world)
    create_scoring_pool(arm)
    for node in plane.items(NODES):  # from other tests' pools, with the same names but other labels
        plane.delete(f"{NODES}/{node['metadata']['name']}")
    stand_in = Aks(world, plane)
    stand_in.start()
    wait_until(lambda: plane.get("/apis/secrets-store.csi.x-k8s.io/v1") is not None)
    yield plane
    plane.delete(NAMESPACE)
    wait_until(lambda: plane.get(NAMESPACE) is None)
    stand_in.stop()
    world.close()


def apply(cluster: ControlPlane, found: dict[str, dict[str, Any]]) -> None:
    """Apply all manifests, server-side."""
    for kind, path in PATHS.items():
        cluster.apply(path, found[kind])


def test_the_api_server_accepts_every_manifest_and_rolls_the_pods_out(cluster: ControlPlane) -> None:
    apply(cluster, manifests())
    wait_until(lambda: ready(cluster) >= 1)
    pods = cluster.items(f"{NAMESPACE}/pods")
    assert {pod["spec"]["nodeName"].rpartition("-")[0] for pod in pods} == {"aks-scoring"}


def test_applying_the_same_again_changes_nothing(cluster: ControlPlane) -> None:
    found = manifests()
    apply(cluster, found)
    wait_until(lambda: ready(cluster) == 2)  # the autoscaler's minimum, which it sets itself
    before = generations(cluster)
    apply(cluster, found)
    assert generations(cluster) == before


def test_the_api_server_warns_about_no_manifest(cluster: ControlPlane) -> None:
    strict = {"fieldManager": "strict", "force": "true", "fieldValidation": "Strict"}
    for kind, manifest in manifests().items():
        answer = cluster._client.patch(  # noqa: SLF001 - the header is not part of what `apply` returns
            PATHS[kind],
            params=strict,
            headers={"Content-Type": "application/apply-patch+yaml"},
            json=manifest,
        )
        assert answer.is_success, answer.text
        assert "Warning" not in answer.headers


def test_the_namespace_refuses_pods_that_may_run_as_root(cluster: ControlPlane) -> None:
    apply(cluster, manifests())
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": "scoring"},
        "spec": {"containers": [{"name": "root", "image": "root"}]},
    }
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        cluster.apply(f"{NAMESPACE}/pods/root", pod)


def ready(cluster: ControlPlane) -> int:
    """How many pods are ready."""
    found = cluster.get(PATHS["Deployment"])
    return int(found["status"].get("readyReplicas", 0)) if found else 0


def generations(cluster: ControlPlane) -> dict[str, int | None]:
    """Each object's generation."""
    return {kind: (cluster.get(path) or {"metadata": {}})["metadata"].get("generation") for kind, path in PATHS.items()}
