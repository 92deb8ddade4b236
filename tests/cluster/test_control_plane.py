"""The control plane is a real one: it admits, schedules, rolls out and refuses as a cluster does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.cluster.conftest import binaries_or_skip
from tests.simulation.aks import Aks
from tests.simulation.azure_native import AzureNative
from tests.simulation.control_plane import ControlPlane
from tests.simulation.examples import create_all, example
from tests.simulation.inputs.names import CLUSTER
from tests.simulation.requirements import need_azure_packages
from tests.simulation.world import World
from tools.paths import ROOT

pytestmark = pytest.mark.cluster

TIMEOUT_SECONDS = 60.0
IMAGE = "registryabc.azurecr.io/scoring@sha256:" + "0" * 64
OTHER_IMAGE = "registryabc.azurecr.io/scoring@sha256:" + "1" * 64
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
POOL = "azure-native:containerservice:AgentPool"


def eventually(check: Callable[[], bool]) -> None:
    """Return when `check` holds."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while not check():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)


def deployment(name: str, image: str, **pod: Any) -> dict[str, Any]:
    """A Deployment of two pods spread over zones."""
    labels = {"app": name}
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    container = {"name": "scoring", "image": image, "resources": {"requests": {"cpu": "500m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "topologySpreadConstraints": [spread], **pod},
            },
        },
    }


def ready(plane: ControlPlane, name: str) -> int:
    """How many pods of a Deployment are ready."""
    found = plane.get(f"{DEPLOYMENTS}/{name}")
    return int(found["status"].get("readyReplicas", 0)) if found else 0


@pytest.fixture
def cloud(plane: ControlPlane, tmp_path: Path) -> Iterator[AzureNative]:
    """The example cluster in a record, and the stand-in for AKS between it and the control plane."""
    need_azure_packages()
    world = World(tmp_path / "world")
    arm = AzureNative(world)
    create_all(arm)
    stand_in = Aks(world, plane)
    stand_in.start()
    yield arm
    for name in ("scoring", "broken"):
        plane.delete(f"{DEPLOYMENTS}/{name}")
    stand_in.stop()
    stand_in.reconcile(world)
    world.close()


@pytest.mark.usefixtures("cloud")
def test_a_deployment_rolls_out_over_the_zones_of_its_pool(plane: ControlPlane) -> None:
    plane.apply(f"{DEPLOYMENTS}/scoring", deployment("scoring", IMAGE, nodeSelector={"agentpool": "scoring"}))
    eventually(lambda: ready(plane, "scoring") == 2)
    pods = plane.items("/api/v1/namespaces/default/pods")
    nodes = {pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["labels"]["app"] == "scoring"}
    assert nodes == {"aks-scoring-000", "aks-scoring-001"}


def test_a_rollout_that_never_gets_ready_leaves_the_old_pods_serving(plane: ControlPlane, cloud: AzureNative) -> None:
    plane.apply(f"{DEPLOYMENTS}/scoring", deployment("scoring", IMAGE))
    eventually(lambda: ready(plane, "scoring") == 2)
    cloud.world.set("broken_images", [OTHER_IMAGE])
    time.sleep(1.0)
    plane.apply(f"{DEPLOYMENTS}/scoring", deployment("scoring", OTHER_IMAGE))
    images = "/api/v1/namespaces/default/pods"
    eventually(lambda: OTHER_IMAGE in str(plane.items(images)))
    time.sleep(2.0)
    assert ready(plane, "scoring") == 2
    cloud.world.set("broken_images", [])


def test_a_pool_that_grows_brings_nodes_and_one_that_goes_takes_them(plane: ControlPlane, cloud: AzureNative) -> None:
    def names() -> set[str]:
        return {node["metadata"]["name"] for node in plane.items("/api/v1/nodes")}

    eventually(lambda: names() == {"aks-system-000", "aks-scoring-000", "aks-scoring-001"})
    cloud.update(POOL, f"{CLUSTER}/agentPools/scoring", example(POOL) | {"count": 3})
    eventually(lambda: "aks-scoring-002" in names())
    cloud.delete(POOL, f"{CLUSTER}/agentPools/scoring")
    eventually(lambda: names() == {"aks-system-000"})


@pytest.mark.usefixtures("cloud")
def test_the_add_on_brings_the_provider_class(plane: ControlPlane) -> None:
    path = "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/default/secretproviderclasses"
    eventually(lambda: plane.get(path) is not None)
    manifest = {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": "keys", "namespace": "default"},
        "spec": {"provider": "azure", "parameters": {"keyvaultName": "vault-abc"}},
    }
    plane.apply(f"{path}/keys", manifest)
    with pytest.raises(httpx.HTTPStatusError, match="500 Internal"):
        plane.apply(f"{path}/other", manifest | {"spec": {"provider": 7}})
    plane.delete(f"{path}/keys")


@pytest.mark.usefixtures("cloud")
def test_a_load_balancer_gets_an_address(plane: ControlPlane) -> None:
    path = "/api/v1/namespaces/default/services/front"
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 443}], "selector": {"app": "scoring"}},
    }
    plane.apply(path, manifest)
    eventually(lambda: bool((plane.get(path) or {"status": {}})["status"]["loadBalancer"].get("ingress")))
    plane.delete(path)


def test_a_restricted_namespace_refuses_a_pod_that_may_be_root(plane: ControlPlane) -> None:
    plane.apply(
        "/api/v1/namespaces/strict",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
    )
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "front", "namespace": "strict"},
        "spec": {"containers": [{"name": "scoring", "image": IMAGE}]},
    }
    account = "/api/v1/namespaces/strict/serviceaccounts/default"
    eventually(lambda: plane.get(account) is not None)
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        plane.apply("/api/v1/namespaces/strict/pods/front", pod)
    context = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["spec"]["containers"][0]["securityContext"] = context
    plane.apply("/api/v1/namespaces/strict/pods/front", pod)
    plane.delete("/api/v1/namespaces/strict/pods/front")


def test_an_object_that_the_schema_does_not_know_is_refused(plane: ControlPlane) -> None:
    wrong = deployment("scoring", IMAGE)
    wrong["spec"]["replica"] = 2
    with pytest.raises(httpx.HTTPStatusError, match="500 Internal"):
        plane.apply(f"{DEPLOYMENTS}/scoring", wrong)


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    binaries_or_skip()
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tests.simulation.control_plane import ControlPlane\n"
        "from tools.control_plane import binaries\n"
        "plane = ControlPlane(Path(sys.argv[1]), binaries()); plane.start()\n"
        "print(*plane.pids(), flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "plane")]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 5
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in children))
