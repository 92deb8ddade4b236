"""The local steps by kind."""

from typing import Any

from steps.kinds import Kind
from steps.local.champion import Champion
from steps.local.data_upload import DataUpload
from steps.local.model_registry import Registry
from steps.local.model_version import ModelVersion
from steps.local.scoring_service import ScoringService
from steps.local.serving_image import ServingImage
from steps.local.training_run import TrainingRun
from steps.provider.step import Step
from steps.shared.api_key import ApiKey


def local_steps() -> dict[Kind, Step[Any, Any]]:
    """The local step of each kind."""
    steps: tuple[Step[Any, Any], ...] = (
        Registry(),
        DataUpload(),
        TrainingRun(),
        ModelVersion(),
        ServingImage(),
        ApiKey(),
        ScoringService(),
        Champion(),
    )
    return {step.description.kind: step for step in steps}
