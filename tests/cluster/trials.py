"""Tries a new image beside the serving one, with the stack's own step."""

from collections.abc import Mapping
from typing import Any

from azure_clients.retries import Timeout
from steps.azure.candidate.rollout import CandidateRollout
from steps.provider.step import Context
from tests.cluster.rollouts import ROLLOUT_SECONDS, Cluster

CANARY_SECONDS = 20


def tried(cluster: Cluster, image: str, kind: str = "canary") -> Mapping[str, Any]:
    """What the stack's own step decides about an image beside the serving one."""
    inputs = {"stack": "test", "tenant": "test", "access": "{}", "image": image, "snapshots": "", "kind": kind}
    step = CandidateRollout(
        timeout=Timeout(ROLLOUT_SECONDS, 0.5), connect=lambda *_: cluster.client(), look_seconds=2.0
    )
    lines: list[str] = []
    wanted = step.parse({**inputs, "percent": 20, "seconds": CANARY_SECONDS})
    computed = step.create(wanted, Context(lines.append)).outputs.model_dump()
    assert "trying the new image" in lines[-1], lines
    return computed
