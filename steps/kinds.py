"""The type names of the steps' resources, which are in the state of every stack."""

from enum import StrEnum


class Place(StrEnum):
    """Where a step runs, the middle part of its token."""

    LOCAL = "local"
    AZURE = "azure"


class Kind(StrEnum):
    """A step's resource type, the last part of its token."""

    REGISTRY = "Registry"
    WORKSPACE_READY = "WorkspaceReady"
    CLUSTER_READY = "ClusterReady"
    DATA_UPLOAD = "DataUpload"
    LIBRARIES = "Libraries"
    TRAINING_RUN = "TrainingRun"
    MODEL_VERSION = "ModelVersion"
    SERVING_IMAGE = "ServingImage"
    ENVIRONMENT = "Environment"
    API_KEY = "ApiKey"
    CERTIFICATE = "Certificate"
    SCORING_SERVICE = "ScoringService"
    CHAMPION = "Champion"


def token(place: Place, kind: Kind) -> str:
    """The resource type of a step."""
    return f"personalize:{place}:{kind}"
