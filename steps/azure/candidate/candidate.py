"""A few pods with a new image, next to those that serve, with the same keys and settings.

They are behind the same load balancer or, as a shadow, behind a Service that gets mirrored traffic.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from features.errors import PersonalizationError
from steps.azure.candidate.comparison import Figures
from steps.shared.cluster_names import (
    ANSWERING,
    CANDIDATE,
    INSIDE_PORT,
    NAME,
    NAME_LABEL,
    NAMESPACE,
    SHADOW_OPTION,
    SHADOW_PERCENT_OPTION,
    SHADOWING,
    SNAPSHOTS_OPTION,
)

DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "personalization"
PERCENT = 100
METRICS_SECONDS = 3.0
"""A pod that takes longer is left out."""
Manifest = Mapping[str, Any]


class ClusterRefusedError(PersonalizationError):
    """The cluster refused a request of a rollout."""


@dataclass(frozen=True)
class PodFigures:
    """The metrics of one pod. `life` is its name and number of restarts, because a restart resets the counts."""

    life: tuple[str, int]
    figures: Figures


class Candidate:
    """The new image's Deployment. Its share of the pods is its share of the traffic, unless it is a shadow."""

    def __init__(self, client: httpx.Client) -> None:
        """`client` calls the cluster's API."""
        self._client = client

    def serving(self) -> dict[str, Any] | None:
        """The current Deployment; None before the first one."""
        answer = self._call("GET", f"{DEPLOYMENTS}/{NAME}", missing=True)
        return None if answer is None else dict(answer.json())

    def exists(self) -> bool:
        """Whether it exists."""
        return self._call("GET", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True) is not None

    def start(self, serving: Manifest, image: str, snapshots: str, percent: int, *, shadow: bool) -> int:
        """Start pods of `image` with its `snapshots`, `percent` of all but at least one. Returns their number."""
        self.remove()  # a killed run may have left one of another kind, and Kubernetes can't change its labels
        replicas = int(serving["spec"]["replicas"])
        count = max(1, round(replicas * percent / (PERCENT - percent)))
        self._call(
            "PATCH",
            f"{DEPLOYMENTS}/{CANDIDATE}",
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": APPLY},
            content=json.dumps(manifest(serving, image, snapshots, count, shadow=shadow)),
        )
        return count

    def ready(self, count: int) -> bool:
        """Whether all its pods are ready, that is, have reproduced the golden records."""
        answer = self._call("GET", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True)
        if answer is None:
            return False
        found = answer.json()
        status = found.get("status") or {}
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return bool(current and status.get("updatedReplicas") == status.get("readyReplicas") == count)

    def restarted(self) -> bool:
        """Whether one of its pods crashed and was restarted."""
        return any(_restarts(pod) for pod in self._pods(CANDIDATE))

    def figures(self, name: str) -> list[PodFigures]:
        """The metrics of the pods called `name`, without those that don't respond."""
        found = []
        for pod in self._pods(name):
            called = pod["metadata"]["name"]
            try:
                metrics = self._client.get(f"{PODS}/http:{called}:{INSIDE_PORT}/proxy/metrics", timeout=METRICS_SECONDS)
            except httpx.TransportError:
                continue
            if metrics.is_success:
                found.append(PodFigures((called, _restarts(pod)), Figures.read(metrics.text)))
        return found

    def remove(self) -> None:
        """Stop its pods gracefully, if there are any."""
        self._call("DELETE", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True)

    def _pods(self, name: str) -> list[dict[str, Any]]:
        answer = self._call("GET", PODS, params={"labelSelector": f"{NAME_LABEL}={name}"})
        return list(answer.json()["items"]) if answer is not None else []

    def _call(self, method: str, path: str, *, missing: bool = False, **options: Any) -> httpx.Response | None:  # noqa: ANN401 - httpx's own
        """The response; None for 404 if `missing` is allowed. Raises `ClusterRefusedError`."""
        try:
            answer = self._client.request(method, path, **options)
            if missing and answer.status_code == httpx.codes.NOT_FOUND:
                return None
            return answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ClusterRefusedError(
                f"The cluster refused `{method} {path}`: {error}. The serving pods are unchanged; run `up` "
                "again, and see `.venv/bin/personalize doctor` if it stays so."
            ) from error


def manifest(serving: Manifest, image: str, snapshots: str, count: int, *, shadow: bool) -> dict[str, Any]:
    """A Deployment of `count` pods like those of `serving`, but with another image and its version's `snapshots`.

    The autoscaler and the disruption budget of the others ignore them. They do not mirror traffic to a shadow.
    """
    labels = {NAME_LABEL: CANDIDATE, **(SHADOWING if shadow else ANSWERING)}
    template = copy.deepcopy(serving["spec"]["template"])
    template["metadata"] = {
        "labels": {**template["metadata"]["labels"], **labels},
        "annotations": template["metadata"].get("annotations") or {},
    }
    (container,) = template["spec"]["containers"]
    container["image"] = image
    options = {**_options(container["args"]), SNAPSHOTS_OPTION: snapshots}
    left_out = {SHADOW_OPTION, SHADOW_PERCENT_OPTION} | (set() if snapshots_of(serving) else {SNAPSHOTS_OPTION})
    container["args"] = [part for option in options.items() if option[0] not in left_out for part in option]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": CANDIDATE, "namespace": NAMESPACE, "labels": labels},
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": template},
    }


def sends_copies(serving: Manifest) -> bool:
    """Whether a Deployment's pods mirror traffic to a shadow."""
    return SHADOW_OPTION in serving["spec"]["template"]["spec"]["containers"][0]["args"]


def image_of(serving: Manifest) -> str:
    """The image of a Deployment's pods."""
    return str(serving["spec"]["template"]["spec"]["containers"][0]["image"])


def snapshots_of(serving: Manifest) -> str:
    """The address from which a Deployment's pods fetch their version's snapshots; empty if they fetch none."""
    return _options(serving["spec"]["template"]["spec"]["containers"][0]["args"]).get(SNAPSHOTS_OPTION, "")


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """The values of the arguments by their names."""
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


def _restarts(pod: Manifest) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return sum(int(status.get("restartCount") or 0) for status in statuses)
