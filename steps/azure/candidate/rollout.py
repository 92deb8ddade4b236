"""Gives a new image part of the traffic before all of it, and withdraws the image if it is worse.

Only this step's output decides which image the pods run. A refusal is an output too, so that the next `up` neither
tries the image again nor forgets the refusal, which `Champion` raises.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from azure_clients.cluster import cluster_client
from azure_clients.retries import USUAL, Deadline, Timeout, pause
from steps.azure.azure_step import AzureStep
from steps.azure.candidate.candidate import (
    Candidate,
    ClusterRefusedError,
    Manifest,
    image_of,
    sends_copies,
    snapshots_of,
)
from steps.azure.candidate.comparison import Figures, enough, total, worse
from steps.descriptions.rollout import AZURE, AzureInputs, Outputs
from steps.descriptions.serving_settings import RolloutKind
from steps.provider.step import Context, Created, State
from steps.shared.cluster_names import CANDIDATE, NAME
from tools.paths import state_folder

LOOK_SECONDS = 5.0
ALL = 100
Connect = Callable[[str, str], httpx.Client]
"""Returns a client of the cluster, given a kubeconfig (JSON) and a tenant."""


def connect(access: str, tenant: str) -> httpx.Client:
    """A client of the cluster of the kubeconfig `access`, an output of `ClusterReady`."""
    return cluster_client(json.loads(access)["clusters"][0]["cluster"], tenant)


class CandidateRollout(AzureStep[AzureInputs, Outputs]):
    """Tries a new image next to the current one."""

    description = AZURE

    def __init__(
        self,
        folder_of: Callable[[str], Path] = state_folder,
        timeout: Timeout = USUAL,
        *,
        connect: Connect = connect,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`timeout` limits the start of the candidate's pods."""
        super().__init__(folder_of, timeout)
        self._connect = connect
        self._look_seconds = look_seconds

    def create(self, inputs: AzureInputs, context: Context) -> Created[Outputs]:
        """Try the image, unless it already serves or nothing does; raises `ClusterRefusedError`.

        The candidate's pods are always stopped: the usual Deployment takes over by a rolling update.
        """
        with self._connect(inputs.access, inputs.tenant) as client:
            candidate = Candidate(client)
            serving = candidate.serving()
            before = (inputs.image, inputs.snapshots) if serving is None else (image_of(serving), snapshots_of(serving))
            refusal = None
            try:
                if serving is not None and before[0] != inputs.image and inputs.kind is not RolloutKind.ROLLING:
                    refusal = self._try(candidate, serving, inputs, context)
            finally:
                candidate.remove()
        return Created(f"{inputs.stack}-rollout", _decided(inputs, before, refusal))

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if a killed run left a candidate, so that the next `up` removes it; unchanged without a cluster."""
        inputs = self.parse(state)
        with self._connect(inputs.access, inputs.tenant) as client:
            try:
                left = Candidate(client).exists()
            except ClusterRefusedError:
                left = False
        return None if left else super().read(identity, state, context)

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Remove the candidate that a killed run may have left."""
        del identity, context
        inputs = self.parse(state)
        with self._connect(inputs.access, inputs.tenant) as client:
            Candidate(client).remove()

    def _try(self, candidate: Candidate, serving: Manifest, inputs: AzureInputs, context: Context) -> str | None:
        """Why the image may not serve; None if nothing was found."""
        shadow = inputs.kind is RolloutKind.SHADOW
        if shadow and not sends_copies(serving):
            context.report("the serving pods do not mirror traffic yet: the next image is the first to be tried")
            return None
        count = candidate.start(serving, inputs.image, inputs.snapshots, inputs.percent, shadow=shadow)
        if not self._ready(candidate, count, context):
            return "its pods did not become ready"
        began, passed = time.monotonic(), 0.0
        new, old = _Tally(candidate, CANDIDATE), _Tally(candidate, NAME)
        while passed < inputs.seconds:  # at least once, however long the cluster takes to answer
            pause(min(self._look_seconds, inputs.seconds - passed), context)
            passed = time.monotonic() - began
            tried, beside = new.look(), old.look()
            context.report(f"trying the new image, {passed:.0f} of {inputs.seconds} s: {tried}; beside it: {beside}")
            if candidate.restarted():
                return "one of its pods crashed"
            if (reason := worse(tried, beside)) is not None:
                return reason
        if not self._ready(candidate, count, context):
            return "its pods did not stay ready"
        new.require_heard()
        if not enough(tried, beside):
            context.report(f"too few requests to compare ({tried}): it is only known that the new image is ready")
        return None

    def _ready(self, candidate: Candidate, count: int, context: Context) -> bool:
        deadline = Deadline(self._timeout, context)
        while not candidate.ready(count):
            if not deadline.wait(f"waiting for {count} pod(s) of the new image"):
                return False
        return True


class _Tally:
    """The counts of the pods with a name since its creation, including pods that have ended."""

    def __init__(self, candidate: Candidate, name: str) -> None:
        self._candidate = candidate
        self._name = name
        self._first = self._now()
        self._last = dict(self._first)

    def require_heard(self) -> None:
        """Raise `ClusterRefusedError` if no pod ever reported metrics."""
        if not self._last:
            raise ClusterRefusedError(
                "No pod of the new image reported metrics, so it can't be compared: the cluster's API does not reach "
                "the pods' `/metrics`. The serving pods are unchanged; run `up` again, or set `azure.rollout: rolling`."
            )

    def look(self) -> Figures:
        """The sum."""
        self._last |= self._now()
        return total(last.since(self._first.get(life, Figures())) for life, last in self._last.items())

    def _now(self) -> dict[tuple[str, int], Figures]:
        return {pod.life: pod.figures for pod in self._candidate.figures(self._name)}


def _decided(inputs: AzureInputs, before: tuple[str, str], refusal: str | None) -> Outputs:
    """The decision; `before` are the image and the snapshots that serve."""
    image, snapshots = (inputs.image, inputs.snapshots) if refusal is None else before
    if refusal is None:
        return Outputs(stable=image, stable_snapshots=snapshots, candidate=image, weight=ALL, refusal="")
    sentence = (
        f"The new image {inputs.image} was tried on {_share(inputs)} and withdrawn: {refusal}. The previous image "
        "serves all requests. This image is tried again only after a change of `azure.candidate_seconds` or "
        "`azure.candidate_percent`; `azure.rollout: rolling` deploys it without a trial."
    )
    return Outputs(stable=image, stable_snapshots=snapshots, candidate=inputs.image, weight=0, refusal=sentence)


def _share(inputs: AzureInputs) -> str:
    copies = "copies of " if inputs.kind is RolloutKind.SHADOW else ""
    return f"{copies}{inputs.percent} % of the requests"
