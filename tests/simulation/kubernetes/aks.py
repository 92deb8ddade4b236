"""What AKS adds to a control plane: nodes for the pools, the Key Vault add-on's kinds, load balancers' addresses.

One loop makes the control plane match the record. If the record has no cluster, there are no nodes and nothing runs; of
a stopped one the API server is gone; a deleted cluster takes its contents along.
"""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.kubernetes.control_plane import ControlPlane
from tests.simulation.services.kubernetes import CLUSTER, separate_pools
from tests.simulation.world import Record, World

PAUSE_SECONDS = 1.0
NODES = "/api/v1/nodes"
SECRETS_GROUP = "secrets-store.csi.x-k8s.io"
SECRETS: Mapping[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"secretproviderclasses.{SECRETS_GROUP}"},
    "spec": {
        "group": SECRETS_GROUP,
        "scope": "Namespaced",
        "names": {
            "kind": "SecretProviderClass",
            "listKind": "SecretProviderClassList",
            "plural": "secretproviderclasses",
            "singular": "secretproviderclass",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""The kind that the Key Vault add-on installs and pods use."""
SECRETS_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/secretproviderclasses.{SECRETS_GROUP}"
SYSTEM_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


class Aks(threading.Thread):
    """Runs until `stop`; a round that fails, for example while the control plane starts, is repeated."""

    def __init__(self, world: World, plane: ControlPlane) -> None:
        """Reads the pools from `world`, which it opens again because a thread needs a connection of its own."""
        super().__init__(name="aks", daemon=True)
        self._world = world
        self._plane = plane
        self._over = threading.Event()
        self._incarnation = 0.0
        self._stopped = False
        self.errors: list[Exception] = []

    def stop(self) -> None:
        """End the loop and wait for it."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Reconcile again and again."""
        world = World(self._world.folder)
        while not self._over.wait(PAUSE_SECONDS):
            try:
                self.reconcile(world)
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; tests read the list
                self.errors.append(error)
        world.close()

    def reconcile(self, world: World) -> None:
        """One round: make the control plane match the record."""
        cluster = next((record for record in world.all(CLUSTER) if not record.deleting), None)
        stopped = cluster is not None and cluster.outputs.get("powerState", {}).get("code") == "Stopped"
        if stopped != self._stopped:
            self._plane.stop() if stopped else self._plane.start()
            self._stopped = stopped
        if stopped:
            return
        incarnation = cluster.created if cluster else 0.0
        if self._incarnation not in {0.0, incarnation}:
            self._wipe()
        self._incarnation = incarnation
        self._nodes(dict(_wanted_nodes(world, cluster)) if cluster else {})
        secrets = cluster is not None and _addon(cluster, "azureKeyvaultSecretsProvider")
        if secrets and self._plane.get(SECRETS_PATH) is None:
            self._plane.apply_definition(SECRETS)
        self._load_balancers()

    def _wipe(self) -> None:
        """The cluster is gone with its contents."""
        names = {item["metadata"]["name"] for item in self._plane.items("/api/v1/namespaces")} - SYSTEM_NAMESPACES
        for name in names:
            self._plane.delete(f"/api/v1/namespaces/{name}")
        for pod in self._plane.items("/api/v1/pods"):  # their nodes are gone, so that no kubelet ends them
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            self._plane.delete(path, gracePeriodSeconds=0)
        self._plane.delete(SECRETS_PATH)

    def _nodes(self, wanted: Mapping[str, dict[str, Any]]) -> None:
        present = {node["metadata"]["name"]: node for node in self._plane.items(NODES)}
        for name in wanted.keys() - present.keys():
            self._plane.apply(f"{NODES}/{name}", wanted[name])
        for name in present.keys() - wanted.keys():
            self._plane.delete(f"{NODES}/{name}")

    def _load_balancers(self) -> None:
        for service in self._plane.items("/api/v1/services"):
            metadata = service["metadata"]
            if service["spec"].get("type") != "LoadBalancer" or service["status"]["loadBalancer"].get("ingress"):
                continue
            path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
            status = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ipMode": "VIP"}]}}
            manifest = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
                "status": status,
            }
            self._plane.apply(f"{path}/status", manifest)


def _wanted_nodes(world: World, cluster: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    for pool in [*cluster.inputs.get("agentPoolProfiles", []), *separate_pools(world, cluster)]:
        zones = pool.get("availabilityZones") or ["0"]
        for index in range(int(pool.get("count", 1))):
            name = f"aks-{pool['name']}-{index:03d}"
            zone = zones[index % len(zones)]
            region = cluster.inputs.get("location", "westeurope")
            yield name, _node(name, pool, f"{region}-{zone}" if zone != "0" else "0")


def _node(name: str, pool: Mapping[str, Any], zone: str) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": pool["vmSize"],
        "topology.kubernetes.io/zone": zone,
        "agentpool": pool["name"],
        "kubernetes.azure.com/agentpool": pool["name"],
        "kubernetes.azure.com/mode": str(pool.get("mode", "User")).lower(),
        **(pool.get("nodeLabels") or {}),
    }
    taints = [
        {"key": key.partition("=")[0], "value": key.partition("=")[2], "effect": effect}
        for key, _, effect in (text.rpartition(":") for text in pool.get("nodeTaints") or [])
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints} if taints else {},
    }


def _addon(cluster: Record, name: str) -> bool:
    profile = (cluster.inputs.get("addonProfiles") or {}).get(name)
    return bool(profile and profile.get("enabled"))
