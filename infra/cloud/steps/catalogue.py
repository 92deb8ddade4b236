"""The Azure steps by kind."""

from typing import Any

from infra.cloud.steps.certificate import Certificate
from infra.cloud.steps.champion import Champion
from infra.cloud.steps.cluster_ready import ClusterReady
from infra.cloud.steps.data_upload import DataUpload
from infra.cloud.steps.environment import Environment
from infra.cloud.steps.model_registry import Registry
from infra.cloud.steps.model_version import ModelVersion
from infra.cloud.steps.rollout import Rollout
from infra.cloud.steps.serving_image import ServingImage
from infra.cloud.steps.training_run import TrainingRun
from infra.cloud.steps.workspace_ready import WorkspaceReady
from infra.local.api_key import ApiKey
from infra.provider.step import Step
from infra.steps import Kind


def azure_steps() -> dict[Kind, Step[Any]]:
    """One step of each kind."""
    return {
        Kind.REGISTRY: Registry(),
        Kind.WORKSPACE_READY: WorkspaceReady(),
        Kind.CLUSTER_READY: ClusterReady(),
        Kind.DATA_UPLOAD: DataUpload(),
        Kind.TRAINING_RUN: TrainingRun(),
        Kind.MODEL_VERSION: ModelVersion(),
        Kind.SERVING_IMAGE: ServingImage(),
        Kind.ENVIRONMENT: Environment(),
        Kind.API_KEY: ApiKey(),
        Kind.CERTIFICATE: Certificate(),
        Kind.ROLLOUT: Rollout(),
        Kind.CHAMPION: Champion(),
    }
