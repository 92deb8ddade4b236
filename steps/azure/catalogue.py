"""The Azure steps by kind."""

from typing import Any

from steps.azure.certificate import Certificate
from steps.azure.champion import Champion
from steps.azure.cluster_ready import ClusterReady
from steps.azure.data_upload import DataUpload
from steps.azure.environment import Environment
from steps.azure.libraries import Libraries
from steps.azure.model_registry import Registry
from steps.azure.model_version import ModelVersion
from steps.azure.serving_image import ServingImage
from steps.azure.training_run import TrainingRun
from steps.azure.workspace_ready import WorkspaceReady
from steps.kinds import Kind
from steps.provider.step import Step
from steps.shared.api_key import ApiKey


def azure_steps() -> dict[Kind, Step[Any, Any]]:
    """One step of each kind."""
    steps: tuple[Step[Any, Any], ...] = (
        Registry(),
        WorkspaceReady(),
        ClusterReady(),
        DataUpload(),
        Libraries(),
        TrainingRun(),
        ModelVersion(),
        ServingImage(),
        Environment(),
        ApiKey(),
        Certificate(),
        Champion(),
    )
    return {step.description.kind: step for step in steps}
