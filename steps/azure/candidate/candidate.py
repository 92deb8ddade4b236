"""A few pods with a new image, run beside those that serve, with the same keys and settings.

They are behind the same load balancer, or, as a shadow, behind a Service that is sent copies of requests.
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
)

DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "personalization"
PERCENT = 100
METRICS_SECONDS = 3.0
"""A pod that does not tell within it is left out."""
Manifest = Mapping[str, Any]


class ClusterRefusedError(PersonalizationError):
    """The cluster does not do what a rollout needs of it."""


@dataclass(frozen=True)
class PodFigures:
    """What one pod has counted. `life` is its name and how often its container was started again: counts begin anew."""

    life: tuple[str, int]
    figures: Figures


class Candidate:
    """The new image's Deployment. Its share of all pods is its share of the requests, unless it is a shadow."""

    def __init__(self, client: httpx.Client) -> None:
        """`client` leads to the cluster's interface."""
        self._client = client

    def serving(self) -> dict[str, Any] | None:
        """The Deployment that serves; None before the first one."""
        answer = self._call("GET", f"{DEPLOYMENTS}/{NAME}", missing=True)
        return None if answer is None else dict(answer.json())

    def exists(self) -> bool:
        """Whether it is there."""
        return self._call("GET", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True) is not None

    def start(self, serving: Manifest, image: str, percent: int, *, shadow: bool) -> int:
        """Start pods of `image`, `percent` of all and one at least. Returns how many."""
        self.remove()  # what a killed run left may be of another kind, and Kubernetes does not let its labels change
        replicas = int(serving["spec"]["replicas"])
        count = max(1, round(replicas * percent / (PERCENT - percent)))
        self._call(
            "PATCH",
            f"{DEPLOYMENTS}/{CANDIDATE}",
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": APPLY},
            content=json.dumps(manifest(serving, image, count, shadow=shadow)),
        )
        return count

    def ready(self, count: int) -> bool:
        """Whether all its pods have reproduced the golden records."""
        answer = self._call("GET", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True)
        if answer is None:
            return False
        found = answer.json()
        status = found.get("status") or {}
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return bool(current and status.get("updatedReplicas") == status.get("readyReplicas") == count)

    def restarted(self) -> bool:
        """Whether a pod of it ended by itself and was started again."""
        return any(_restarts(pod) for pod in self._pods(CANDIDATE))

    def figures(self, name: str) -> list[PodFigures]:
        """What the pods called `name` have counted; one that does not answer is left out."""
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
        """End its pods, each after what it has begun; nothing happens where there are none."""
        self._call("DELETE", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True)

    def _pods(self, name: str) -> list[dict[str, Any]]:
        answer = self._call("GET", PODS, params={"labelSelector": f"{NAME_LABEL}={name}"})
        return list(answer.json()["items"]) if answer is not None else []

    def _call(self, method: str, path: str, *, missing: bool = False, **options: Any) -> httpx.Response | None:  # noqa: ANN401 - httpx's own
        """The answer; None for what is `missing`, where that may be. Raises `ClusterRefusedError`."""
        try:
            answer = self._client.request(method, path, **options)
            if missing and answer.status_code == httpx.codes.NOT_FOUND:
                return None
            return answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ClusterRefusedError(
                f"The cluster did not take `{method} {path}`: {error}. The pods that serve are as they were; run `up` "
                "again, and see `.venv/bin/personalize doctor` if it stays so."
            ) from error


def manifest(serving: Manifest, image: str, count: int, *, shadow: bool) -> dict[str, Any]:
    """The Deployment of `count` pods like those of `serving`, but of another image.

    The autoscaler and the disruption budget of the others do not count them. A shadow sends no copies to itself.
    """
    labels = {NAME_LABEL: CANDIDATE, **(SHADOWING if shadow else ANSWERING)}
    template = copy.deepcopy(serving["spec"]["template"])
    template["metadata"] = {
        "labels": {**template["metadata"]["labels"], **labels},
        "annotations": template["metadata"].get("annotations") or {},
    }
    (container,) = template["spec"]["containers"]
    container["image"] = image
    container["args"] = _without_copies(container["args"])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": CANDIDATE, "namespace": NAMESPACE, "labels": labels},
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": template},
    }


def sends_copies(serving: Manifest) -> bool:
    """Whether a Deployment's pods send copies of requests to a shadow."""
    return SHADOW_OPTION in serving["spec"]["template"]["spec"]["containers"][0]["args"]


def image_of(serving: Manifest) -> str:
    """The image of a Deployment's pods."""
    return str(serving["spec"]["template"]["spec"]["containers"][0]["image"])


def _without_copies(arguments: Sequence[str]) -> list[str]:
    """Options and their values, without those of a shadow."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return [part for pair in pairs if pair[0] not in {SHADOW_OPTION, SHADOW_PERCENT_OPTION} for part in pair]


def _restarts(pod: Manifest) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return sum(int(status.get("restartCount") or 0) for status in statuses)
