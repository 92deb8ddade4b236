"""The local steps by kind."""

from typing import Any

from infra.local.api_key import ApiKey
from infra.local.data_upload import DataUpload
from infra.local.model_registry import Registry
from infra.local.model_version import ModelVersion
from infra.local.scoring_service import ScoringService
from infra.local.serving_image import ServingImage
from infra.local.training_run import TrainingRun
from infra.provider.step import Step
from infra.steps import Kind


def local_steps() -> dict[Kind, Step[Any]]:
    """One step of each kind."""
    return {
        Kind.REGISTRY: Registry(),
        Kind.DATA_UPLOAD: DataUpload(),
        Kind.TRAINING_RUN: TrainingRun(),
        Kind.MODEL_VERSION: ModelVersion(),
        Kind.SERVING_IMAGE: ServingImage(),
        Kind.API_KEY: ApiKey(),
        Kind.SCORING_SERVICE: ScoringService(),
    }
