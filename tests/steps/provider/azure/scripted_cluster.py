"""A scripted API server of the cluster whose service a rollout changes."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from steps.azure.candidate.candidate import DEPLOYMENTS, PODS
from steps.shared.cluster_names import CANDIDATE, NAME
from tests.infra.graph.workload_program import manifests

OLD, NEW = "registry/scoring@sha256:old", "registry/scoring@sha256:new"
OLD_USERS, NEW_USERS = (f"https://lakeabc.blob.core.windows.net/snapshots/files/served/{name}" for name in "on")
"""The addresses of the snapshots of the versions in these images."""
METRICS = """# TYPE scoring_requests_total counter
scoring_requests_total{{operation="score",status="200"}} {good}
scoring_requests_total{{operation="score",status="500"}} {bad}
# TYPE scoring_request_seconds histogram
scoring_request_seconds_bucket{{operation="score",le="0.005"}} {fast}
scoring_request_seconds_bucket{{operation="score",le="0.5"}} {all}
scoring_request_seconds_bucket{{operation="score",le="+Inf"}} {all}
# TYPE scoring_probability histogram
scoring_probability_bucket{{le="0.2"}} {low}
scoring_probability_bucket{{le="1.0"}} {all}
scoring_probability_bucket{{le="+Inf"}} {all}
"""


@dataclass
class Server:
    """Four pods with the old image; candidate pods are ready at once. Every read shows 100 more requests per pod."""

    image: str | None = OLD
    settings: dict[str, Any] = field(default_factory=dict)
    """The serving stack's Azure settings."""
    failing: int = 0
    """Failed requests among each 100 to the candidate."""
    slow: int = 0
    """Slow requests among each 100 to the candidate."""
    low: int = 80
    """Low probabilities among each 100 from the candidate; the stable image has 80."""
    starts: bool = True
    restarts: int = 0
    """Restarts of the candidate's pods."""
    tells: bool = True
    """Whether pods answer at their metrics endpoint."""
    refuses: bool = False
    applied: list[dict[str, Any]] = field(default_factory=list)
    candidate: dict[str, Any] | None = None
    looks: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refuses:
            return httpx.Response(403)
        path = request.url.path
        if path == PODS:
            return self._pods(candidate=request.url.params["labelSelector"].endswith(f"={CANDIDATE}"))
        if path.startswith(PODS):
            assert path.endswith(":9090/proxy/metrics")
            counted = self._metrics(candidate=CANDIDATE in path)
            return httpx.Response(200, text=counted) if self.tells else httpx.Response(503)
        return self._serving() if path == f"{DEPLOYMENTS}/{NAME}" else self._candidate(request)

    def _candidate(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"{DEPLOYMENTS}/{CANDIDATE}"
        if request.method == "DELETE":
            gone, self.candidate = self.candidate, None
            return httpx.Response(200 if gone else 404)
        if request.method == "PATCH":
            self.candidate = json.loads(request.content)
            self.applied.append(self.candidate)
        if self.candidate is None:
            return httpx.Response(404)
        count = self.candidate["spec"]["replicas"] if self.starts else 0
        status = {"observedGeneration": 1, "updatedReplicas": count, "readyReplicas": count}
        return httpx.Response(200, json={"metadata": {"generation": 1}, "status": status})

    def _pods(self, *, candidate: bool) -> httpx.Response:
        statuses = [{"restartCount": self.restarts if candidate else 0}]
        metadata = {"name": CANDIDATE if candidate else NAME}
        return httpx.Response(200, json={"items": [{"metadata": metadata, "status": {"containerStatuses": statuses}}]})

    def _serving(self) -> httpx.Response:
        if self.image is None:
            return httpx.Response(404)
        found = manifests(self.image, snapshots=OLD_USERS, **self.settings)["Deployment"]
        found["spec"]["replicas"] = 4
        return httpx.Response(200, json=found)

    def _metrics(self, *, candidate: bool) -> str:
        self.looks += 1
        bad, slow, low = (self.failing, self.slow, self.low) if candidate else (0, 0, 80)
        counts = {"good": 100 - bad, "bad": bad, "fast": 100 - slow, "low": low, "all": 100}
        return METRICS.format(**{name: count * self.looks for name, count in counts.items()})
