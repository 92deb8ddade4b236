"""The Azure steps by kind."""

from typing import Any

from steps.azure.candidate.rollout import Rollout
from steps.azure.certificate import Certificate
from steps.azure.champion import Champion
from steps.azure.cluster_ready import ClusterReady
from steps.azure.data_upload import DataUpload
from steps.azure.environment import Environment
from steps.azure.model_registry import Registry
from steps.azure.model_version import ModelVersion
from steps.azure.serving_image import ServingImage
from steps.azure.training_run import TrainingRun
from steps.azure.workspace_ready import WorkspaceReady
from steps.kinds import Kind
from steps.provider.step import Step
from steps.shared.api_key import ApiKey


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
