"""The local steps by kind."""

from typing import Any

from steps.kinds import Kind
from steps.local.data_upload import DataUpload
from steps.local.model_registry import Registry
from steps.local.model_version import ModelVersion
from steps.local.scoring_service import ScoringService
from steps.local.serving_image import ServingImage
from steps.local.training_run import TrainingRun
from steps.provider.step import Step
from steps.shared.api_key import ApiKey


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
