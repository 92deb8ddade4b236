"""A few pods of a new image beside those of the one that serves: behind the same load balancer, with the same keys."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from features.errors import PersonalizationError
from infra.cloud.steps.comparison import Figures
from infra.workload.settings import ANSWERING, CANDIDATE, LABELS, NAME, NAME_LABEL, NAMESPACE, PORT

DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "personalization"
PERCENT = 100
Manifest = Mapping[str, Any]


class ClusterRefusedError(PersonalizationError):
    """The cluster does not do what a rollout needs of it."""


@dataclass(frozen=True)
class PodFigures:
    """What one pod has counted. `life` is its name and how often its container was started again: counts begin anew."""

    life: tuple[str, int]
    figures: Figures


class Candidate:
    """The new image's Deployment. Its share of all pods is its share of the requests."""

    def __init__(self, client: httpx.Client) -> None:
        """`client` leads to the cluster's interface."""
        self._client = client

    def serving(self) -> dict[str, Any] | None:
        """The Deployment that serves; None before the first one."""
        answer = self._call("GET", f"{DEPLOYMENTS}/{NAME}", missing=True)
        return None if answer is None else dict(answer.json())

    def start(self, serving: Manifest, image: str, percent: int) -> int:
        """Start pods of `image`, `percent` of all and one at least. Returns how many."""
        count = max(1, round(serving["spec"]["replicas"] * percent / (PERCENT - percent)))
        self._call(
            "PATCH",
            f"{DEPLOYMENTS}/{CANDIDATE}",
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": APPLY},
            content=json.dumps(manifest(serving, image, count)),
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
                metrics = self._client.get(f"{PODS}/https:{called}:{PORT}/proxy/metrics")
            except httpx.TransportError:
                continue
            if metrics.is_success:
                found.append(PodFigures((called, _restarts(pod)), Figures.read(metrics.text)))
        return found

    def remove(self) -> None:
        """End its pods, each after what it has begun; nothing happens where there are none."""
        self._call("DELETE", f"{DEPLOYMENTS}/{CANDIDATE}", missing=True)

    def _pods(self, name: str) -> list[dict[str, Any]]:
        selector = ",".join(f"{label}={value}" for label, value in {**LABELS, NAME_LABEL: name}.items())
        answer = self._call("GET", PODS, params={"labelSelector": selector})
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
                "again, and see `personalize doctor` if it stays so."
            ) from error


def manifest(serving: Manifest, image: str, count: int) -> dict[str, Any]:
    """The Deployment of `count` pods like those of `serving`, but of another image.

    The load balancer leads to them; the autoscaler and the disruption budget of the others do not count them.
    """
    labels = {NAME_LABEL: CANDIDATE, **ANSWERING}
    template = copy.deepcopy(serving["spec"]["template"])
    template["metadata"] = {
        "labels": {**template["metadata"]["labels"], **labels},
        "annotations": template["metadata"].get("annotations") or {},
    }
    template["spec"]["containers"][0]["image"] = image
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": CANDIDATE, "namespace": NAMESPACE, "labels": labels},
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": template},
    }


def image_of(serving: Manifest) -> str:
    """The image of a Deployment's pods."""
    return str(serving["spec"]["template"]["spec"]["containers"][0]["image"])


def _restarts(pod: Manifest) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return sum(int(status.get("restartCount") or 0) for status in statuses)
