"""The real service in a real control plane, with a small kubelet, a router, and clients that count failures."""

import copy
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import msgspec

from features.bundle import Bundle
from tests.cluster.objects import DEPLOYMENT, NAMESPACE, PATHS
from tests.infra.graph.workload_program import manifests
from tests.simulation.kubernetes.aks import NODES, OWNED
from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.kubernetes.nodes.kubelet import Kubelet
from tests.simulation.kubernetes.nodes.router import Router
from tests.support.load import Answers, Load, run_load
from tests.support.services import wait_until

SHADOW = "scoring-shadow"
SHADOW_PATH = f"{NAMESPACE}/services/{SHADOW}"
EXTRA_NODE = "aks-scoring-surge"
METRICS_OF_POD = re.compile(rf"{NAMESPACE}/pods/http:(?P<name>[^:]+):(?P<port>\d+)/proxy(?P<path>/metrics)")
LONG_TIMEOUTS = ["--queue-seconds", "5", "--deadline-seconds", "10"]
"""The service's time-outs: clients, cluster and pods share a few cores here, and these tests aren't about overload."""
ROLLOUT_SECONDS = 240.0
MIN_PODS = 2
"""The settings' default, which the autoscaler applies some seconds after the Deployment exists."""


@dataclass(frozen=True)
class Clients:
    """Steady load of two kinds: clients that keep their connection, and clients that open one per request."""

    kept: Answers
    fresh: Answers

    @property
    def answered(self) -> int:
        """Requests that were scored."""
        return self.kept.statuses[200] + self.fresh.statuses[200]

    @property
    def failed(self) -> dict[str, int]:
        """All other requests, by what happened."""
        found: dict[str, int] = {}
        for kind, result in (("kept", self.kept), ("fresh", self.fresh)):
            other = {f"status {status}": count for status, count in result.statuses.items() if status != 200}
            found |= {f"{kind}: {cause}": count for cause, count in {**result.errors, **other}.items()}
        return found


class ByNode(httpx.BaseTransport):
    """A transport to the API server, which connects to pods directly: the API server refuses their loopback
    addresses."""

    def __init__(self, plane: ControlPlane, kubelet: Kubelet) -> None:
        self._plane = plane.transport()
        self._pods = httpx.HTTPTransport(verify=False)
        self._kubelet = kubelet

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        found = METRICS_OF_POD.fullmatch(request.url.path)
        if found is None:
            return self._plane.handle_request(request)
        address = self._kubelet.address(found["name"])
        if address is None:
            return httpx.Response(503)
        url = f"http://{address}:{found['port']}{found['path']}"
        return self._pods.handle_request(httpx.Request("GET", url, extensions=request.extensions))


class Cluster:
    """The service's applied manifests; `files` is the vault's folder."""

    def __init__(self, plane: ControlPlane, kubelet: Kubelet, router: Router, files: Path) -> None:
        self.plane = plane
        self.kubelet = kubelet
        self.router = router
        self.files = files

    def apply(self, image: str, change: Callable[[dict[str, Any]], None] = lambda _: None, **settings: Any) -> None:
        """Apply all manifests for an image; `change` may alter the Deployment first."""
        found = manifests(image, **settings)
        found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"] += LONG_TIMEOUTS
        change(found["Deployment"])
        if shadow := found.get(f"Service {SHADOW}"):
            self.plane.apply(SHADOW_PATH, shadow)
        for kind, path in PATHS.items():
            self.plane.apply(path, found[kind])

    def settled(self) -> bool:
        """Whether all pods have the newest template, are ready and known to the router, and no others are left."""
        found = self.plane.get(DEPLOYMENT)
        if found is None:
            return False
        status, wanted = found["status"], found["spec"]["replicas"]
        counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        pods = self.plane.items(f"{NAMESPACE}/pods")
        complete = wanted >= MIN_PODS and counts == {wanted}
        return current and complete and len(pods) == wanted == len(self.router.endpoints)

    def settle(self) -> None:
        """Wait until the pods are settled."""
        wait_until(self.settled, seconds=ROLLOUT_SECONDS)

    def drain(self, node: str) -> None:
        """Move all of the service's pods off a node, as many at a time as their disruption budget allows."""
        self.plane.cordon(node)

        def empty() -> bool:
            pods = [pod for pod in self.plane.items(f"{NAMESPACE}/pods") if pod["spec"].get("nodeName") == node]
            for pod in pods:
                self.plane.evict("scoring", pod["metadata"]["name"])
            return not pods

        wait_until(empty, seconds=ROLLOUT_SECONDS)

    def upgrade_nodes(self) -> None:
        """Upgrade as AKS does: add a node, drain and replace each old one, then remove the extra one."""
        old = self.nodes()
        extra = _another(self.plane.get(f"{NODES}/{old[0]}") or {}, EXTRA_NODE)
        self.plane.apply(f"{NODES}/{EXTRA_NODE}", extra)
        for node in [*old, EXTRA_NODE]:
            self.drain(node)
            self.plane.delete(f"{NODES}/{node}")
            wait_until(lambda node=node: node == EXTRA_NODE or self._takes_pods(node), seconds=ROLLOUT_SECONDS)

    def restart_control_plane(self) -> None:
        """Stop all its processes and start them again with the same data."""
        self.plane.stop()
        self.plane.start()
        self.kubelet.claim()

    def _takes_pods(self, node: str) -> bool:
        found = self.plane.get(f"{NODES}/{node}")
        conditions = found["status"].get("conditions", []) if found else []
        return {"Ready": "True"}.items() <= {one["type"]: one["status"] for one in conditions}.items()

    def image(self) -> str:
        """The image in the service's Deployment."""
        return str((self.plane.get(DEPLOYMENT) or {})["spec"]["template"]["spec"]["containers"][0]["image"])

    def client(self) -> httpx.Client:
        """A client for the cluster's API, as the stack's steps use it."""
        return httpx.Client(base_url=self.plane.server, transport=ByNode(self.plane, self.kubelet))

    def nodes(self) -> list[str]:
        """The nodes with pods."""
        return sorted({pod["spec"]["nodeName"] for pod in self.plane.items(f"{NAMESPACE}/pods")})

    def write(self, name: str, text: str) -> None:
        """Change a file of the vault atomically, as the add-on does."""
        aside = self.files / f".{name}"
        aside.write_text(text, encoding="utf-8")
        aside.replace(self.files / name)

    def problems(self) -> list[BaseException]:
        """Errors of the stand-ins for nodes."""
        return [*self.kubelet.errors, *self.router.errors]


def _another(node: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy of a node that doesn't belong to the pool, so that nobody removes it."""
    labels = {key: value for key, value in node["metadata"]["labels"].items() if key not in OWNED}
    metadata = {
        "name": name,
        "labels": {**labels, "kubernetes.io/hostname": name},
        "annotations": {"simulation/cpu": node["metadata"]["annotations"]["simulation/cpu"]},
    }
    spec = {"taints": copy.deepcopy(node["spec"]["taints"])}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}


@contextmanager
def clients(
    cluster: Cluster,
    bundle: Bundle,
    authorities: Path,
    *,
    key: str,
    seconds: float,
    rate: float,
    after_seconds: float = 0.0,
) -> Iterator[Callable[[], Clients]]:
    """Load for `seconds`, in separate processes; yields a function that waits for the result.

    It starts after `after_seconds`. A tenth of the `rate` (requests a second) opens a connection per request. All
    clients check the certificate against the PEM file `authorities`.
    """
    bodies = [msgspec.json.encode(golden.record) for golden in bundle.click_model.golden]
    headers = {"authorization": f"Bearer {key}"}
    kept = Load(
        host="127.0.0.1",
        port=cluster.router.port,
        path="/score",
        bodies=bodies,
        seconds=seconds,
        authorities=authorities,
        headers=headers,
        connections=4,
        rate=rate * 0.9,
    )
    fresh = replace(kept, headers={**headers, "connection": "close"}, rate=rate * 0.1, seed=2)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_load, plan, after_seconds) for plan in (kept, fresh)]
        yield lambda: _gather(running)


def _load(plan: Load, after_seconds: float) -> Answers:
    os.nice(1)
    time.sleep(after_seconds)
    return run_load(plan)


def _gather(running: list["Future[Answers]"]) -> Clients:
    kept, fresh = (future.result() for future in running)
    return Clients(kept, fresh)
