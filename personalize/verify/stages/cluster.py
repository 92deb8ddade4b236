"""The cluster with the service, and the service from a client's side."""

import secrets
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from features.bundle import Bundle
from infra.cloud.serving.service_nodes import label_of_service_nodes
from personalize.checks.subscription.free_names import GROUP_VERSION
from personalize.clients.service import Service
from personalize.stack.power import VERSION, cluster_path
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage, StageFailedError
from personalize.verify.stages.options import ZONE, container_logs, zones
from recommend.recommender import FOLDER, GOLDEN_TOP, Golden, read_golden
from steps.local.registry import bundle_folder
from steps.shared.cluster_names import NAME, NAMESPACE
from tools.paths import state_folder

AUTOSCALER = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{NAME}"
ADD_ON = "/apis/secrets-store.csi.x-k8s.io/v1"
TOLERANCE = 1e-9
"""Highest difference of a probability from training's; the service checks the same when it starts."""


def _serves(bench: Bench) -> str:
    pods = bench.cluster().pods()
    if not any(pod.ready for pod in pods):
        raise StageFailedError(
            f"None of {len(pods)} pods is ready. `.venv/bin/personalize logs --stack {bench.stack}` shows why."
        )
    return f"{len(pods)} pods, {sum(pod.ready for pod in pods)} ready."


def _pods(bench: Bench) -> Seen:
    pods = bench.cluster().pods()
    restarts = sum(pod.restarts for pod in pods)
    ready = sum(pod.ready for pod in pods)
    return Seen(holds=ready == len(pods) > 0 == restarts, answer=f"{ready} of {len(pods)} ready, {restarts} restarts")


def _nodes(bench: Bench) -> Seen:
    nodes = bench.cluster().nodes()
    label, value = label_of_service_nodes(bench.settings)
    scoring = [node for node in nodes if node.get(label) == value]
    zones = sorted({node.get(ZONE, "") for node in nodes})
    return Seen(holds=bool(scoring), answer=f"{len(nodes)} nodes, {len(scoring)} {label}={value}, zones {zones}")


def _add_on(bench: Bench) -> Seen:
    kinds = sorted(str(entry["kind"]) for entry in bench.cluster().look(ADD_ON)["resources"])
    return Seen(holds="SecretProviderClass" in kinds, answer=f"kinds {', '.join(kinds)}")


def _metrics(bench: Bench) -> Seen:
    status: dict[str, Any] = bench.cluster().look(AUTOSCALER).get("status") or {}
    found = (status.get("currentMetrics") or [{}])[0].get("resource") or {}
    percent = (found.get("current") or {}).get("averageUtilization")
    reasons = [f"{one['type']} {one['status']}" for one in status.get("conditions") or ()]
    return Seen(holds=percent is not None, answer=f"CPU at {percent} % of the request; {', '.join(reasons)}")


def _node_group(bench: Bench) -> Seen:
    path = f"{bench.subject.subscription}/resourcegroups/{bench.names.nodes_group}"
    found = bench.manager.get(path, GROUP_VERSION) or {}
    owner = str(found.get("managedBy") or "")
    own = cluster_path(bench.stack, bench.settings)
    return Seen(holds=owner.lower() == own.lower(), answer=f"managedBy {owner or 'nothing'}")


SERVICE = Stage(
    name="service",
    title="the cluster, and the service in it",
    minutes="1",
    act=_serves,
    looks={
        "pods-start": _pods,
        "pool-labels": _nodes,
        "zones-as-asked": zones,
        "container-insights": container_logs,
        "secrets-add-on": _add_on,
        "autoscaler-metrics": _metrics,
        "node-group": _node_group,
    },
)


def _answers(bench: Bench) -> str:
    """Ask for what training computed, at the public address and with the stack's own authority."""
    service, outputs = bench.service(), bench.outputs()
    bundle = Bundle.load(bundle_folder(state_folder(bench.stack) / "registry", outputs["bundle_hash"]))
    traced = {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}  # W3C trace context: sampled
    if bundle.clicks is None:
        return recommends_as_trained(service, read_golden(bundle.path / FOLDER), traced)
    golden = bundle.clicks.golden
    answer = service.post("/score", {"records": [one.record for one in golden]}, traced)
    apart = max(abs(found - one.probability) for found, one in zip(answer["probabilities"], golden, strict=True))
    if not apart <= TOLERANCE:
        raise StageFailedError(f"The service's scores of golden records differ from training's by {apart:g}.")
    return f"{len(golden)} golden records score as in training, at most {apart:.1g} apart."


def recommends_as_trained(service: Service, golden: Sequence[Golden], headers: dict[str, str]) -> str:
    """A sentence if the service recommends for each golden history the items that training did; else raises
    `StageFailedError`.
    """
    for number, one in enumerate(golden):
        asked = {"history": one.history, "context": one.user, "top": GOLDEN_TOP, "new": 0}
        found = [item["item"] for item in service.post("/recommend", asked, headers)["items"]]
        if found != one.items:
            raise StageFailedError(
                f"For golden request {number} the service recommends {', '.join(found)}, but training recommended "
                f"{', '.join(one.items)}."
            )
    return f"{len(golden)} golden requests get the items that training recommended."


def _name(bench: Bench) -> Seen:
    host = urlsplit(str(bench.outputs()["endpoint"])).hostname or ""
    addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)})
    return Seen(holds=bool(addresses), answer=f"{host} is {', '.join(addresses)}")


def _sku(bench: Bench) -> Seen:
    found = bench.resource(cluster_path(bench.stack, bench.settings), VERSION)
    network = found.get("networkProfile") or {}
    parts = {name: network.get(name) for name in ("networkDataplane", "networkPolicy", "networkPluginMode")}
    return Seen(holds=parts["networkDataplane"] == "cilium", answer=f"{parts}")


ENDPOINT = Stage(
    name="endpoint",
    title="what training computed, asked for at the public address",
    minutes="1",
    act=_answers,
    looks={"dns-label": _name, "network-as-asked": _sku},
)
