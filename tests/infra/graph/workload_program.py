"""A program that declares the workload, for tests of its manifests."""

from collections.abc import Mapping
from typing import Any

import pulumi

from infra.workload.place import on_the_internet
from infra.workload.workload import Workload, WorkloadArgs
from steps.descriptions.serving_settings import ScoringSettings
from tests.infra.graph.cloud_recorder import run_cloud
from tests.support.azure_stack import azure_stack

IMAGE = "registryabc.azurecr.io/scoring@sha256:" + "d" * 64
KINDS = {
    "kubernetes:core/v1:Namespace": "Namespace",
    "kubernetes:core/v1:ServiceAccount": "ServiceAccount",
    "kubernetes:core/v1:Service": "Service",
    "kubernetes:apps/v1:Deployment": "Deployment",
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": "HorizontalPodAutoscaler",
    "kubernetes:policy/v1:PodDisruptionBudget": "PodDisruptionBudget",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": "NetworkPolicy",
    "kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass": "SecretProviderClass",
}


def manifests(
    image: str = IMAGE,
    certificate_hash: str = "first",
    scoring: Mapping[str, object] | None = None,
    snapshots: str | None = None,
    **azure: object,
) -> dict[str, dict[str, Any]]:
    """The manifests by kind, in order of declaration."""

    def program() -> dict[str, pulumi.Output[Any]]:
        args = WorkloadArgs(
            azure=azure_stack(**azure),
            scoring=ScoringSettings.model_validate(scoring or {}),
            image=image,
            place=on_the_internet("score-test", "westeurope"),
            vault="vault-abc",
            client_id="55555555-5555-4555-8555-555555555555",
            certificate_hash=certificate_hash,
            snapshots=snapshots,
            pool_label="personalization/pool",
            pool="scoring",
        )
        return {"urn": Workload("workload", args).urn}

    recorder, _ = run_cloud(program)
    return {KINDS[item.typ]: item.inputs for item in recorder.resources}
