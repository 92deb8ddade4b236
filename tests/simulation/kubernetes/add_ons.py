"""AKS's own pods in the cluster: what they request is no longer free for others.

Requests are those that `kubectl describe node` showed on real nodes in February and October 2025 (Azure/AKS#5251 has
such a table from November), unless stated otherwise. Versions and add-ons change them a little; the agents of Container
insights are not listed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.kubernetes.control_plane import ControlPlane

NAMESPACE = "/namespaces/kube-system"
APPS = f"/apis/apps/v1{NAMESPACE}"


@dataclass(frozen=True)
class Pods:
    """Pods of one kind; `copies` is None for one on every node."""

    name: str
    millicores: int
    memory_mib: int
    copies: int | None = None


DAEMONS = (
    Pods("azure-cns", 40, 250),
    Pods("azure-ip-masq-agent", 100, 50),
    Pods("cloud-node-manager", 50, 50),
    Pods("csi-azuredisk-node", 30, 60),
    Pods("csi-azurefile-node", 30, 60),
    Pods("cilium", 0, 100),  # no request for CPU: Azure/AKS#5244; instead of kube-proxy
    # The Key Vault add-on: the defaults of the charts secrets-store-csi-driver (50m, 10m, 10m) and its Azure provider.
    Pods("aks-secrets-store-csi-driver", 70, 140),
    Pods("aks-secrets-store-provider-azure", 50, 100),
)
ONCE = (
    Pods("coredns", 100, 70, 2),
    Pods("coredns-autoscaler", 20, 10, 1),
    Pods("konnectivity-agent", 20, 20, 2),
    Pods("konnectivity-agent-autoscaler", 20, 10, 1),
    Pods("metrics-server", 156, 138, 2),
    Pods("azure-wi-webhook-controller-manager", 100, 20, 2),  # workload identity
    Pods("eraser-controller-manager", 100, 30, 1),  # the image cleaner
    Pods("cilium-operator", 0, 0, 2),  # Azure/AKS#5244
)


def install(plane: ControlPlane) -> None:
    """Apply them all."""
    for path, manifest in _manifests():
        plane.apply(path, manifest)


def remove(plane: ControlPlane) -> None:
    """Delete them all."""
    for path, _ in _manifests():
        plane.delete(path)


def belongs_to_every_node(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is a daemon, which a drained node keeps."""
    return any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())


def _manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for pods in (*DAEMONS, *ONCE):
        kind = "DaemonSet" if pods.copies is None else "Deployment"
        labels = {"app": pods.name}
        resources = {"requests": {"cpu": f"{pods.millicores}m", "memory": f"{pods.memory_mib}Mi"}}
        container = {"name": pods.name, "image": f"mcr.microsoft.com/{pods.name}", "resources": resources}
        spec: dict[str, Any] = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod(pods, container)},
        }
        if pods.copies is not None:
            spec["replicas"] = pods.copies
        metadata = {"name": pods.name, "namespace": "kube-system", "labels": labels}
        manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
        yield f"{APPS}/{kind.lower()}s/{pods.name}", manifest


def _pod(pods: Pods, container: Mapping[str, Any]) -> dict[str, Any]:
    """Daemons run on nodes with any taint; the others prefer system nodes and go nowhere else here."""
    if pods.copies is None:
        everywhere = {"tolerations": [{"operator": "Exists"}], "priorityClassName": "system-node-critical"}
        return {"containers": [container], **everywhere}
    system = {"kubernetes.azure.com/mode": "system"}
    return {"containers": [container], "nodeSelector": system, "priorityClassName": "system-cluster-critical"}
