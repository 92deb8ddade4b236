"""The steps by kind. A stack on this machine imports none of those that only Azure has."""

from collections.abc import Mapping
from typing import Any

from steps.api_key import ApiKeyHere, ApiKeyOnAzure
from steps.champion import ChampionHere, ChampionOnAzure
from steps.data_upload import DataUploadHere, DataUploadOnAzure
from steps.model_registry import RegistryHere, RegistryOnAzure
from steps.model_version import ModelVersionHere, ModelVersionOnAzure
from steps.scoring_service import ScoringService
from steps.serving_image import ServingImageHere, ServingImageOnAzure
from steps.step import Kind, Step
from steps.training_run import TrainingRunHere, TrainingRunOnAzure

Steps = Mapping[Kind, Step[Any, Any]]


def local_steps() -> Steps:
    """The step of each kind on this machine."""
    return _by_kind(
        RegistryHere(),
        DataUploadHere(),
        TrainingRunHere(),
        ModelVersionHere(),
        ServingImageHere(),
        ApiKeyHere(),
        ScoringService(),
        ChampionHere(),
    )


def azure_steps() -> Steps:
    """The step of each kind on Azure."""
    from steps.certificate import Certificate  # noqa: PLC0415 - see the top
    from steps.cluster_ready import ClusterReady  # noqa: PLC0415 - see the top
    from steps.libraries import Libraries  # noqa: PLC0415 - see the top
    from steps.workspace_ready import WorkspaceReady  # noqa: PLC0415 - see the top

    return _by_kind(
        RegistryOnAzure(),
        WorkspaceReady(),
        ClusterReady(),
        DataUploadOnAzure(),
        Libraries(),
        TrainingRunOnAzure(),
        ModelVersionOnAzure(),
        ServingImageOnAzure(),
        ApiKeyOnAzure(),
        Certificate(),
        ChampionOnAzure(),
    )


def _by_kind(*steps: Step[Any, Any]) -> Steps:
    return {step.kind: step for step in steps}
