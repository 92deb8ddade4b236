"""The names of the steps' resources and of what each computes: the one contract between the graph and the provider."""

from enum import StrEnum


class Place(StrEnum):
    """Where a step does its work, the middle part of its token."""

    LOCAL = "local"
    AZURE = "azure"


class Kind(StrEnum):
    """A step's resource type, the last part of its token."""

    REGISTRY = "Registry"
    WORKSPACE_READY = "WorkspaceReady"
    CLUSTER_READY = "ClusterReady"
    DATA_UPLOAD = "DataUpload"
    TRAINING_RUN = "TrainingRun"
    MODEL_VERSION = "ModelVersion"
    SERVING_IMAGE = "ServingImage"
    ENVIRONMENT = "Environment"
    API_KEY = "ApiKey"
    CERTIFICATE = "Certificate"
    ROLLOUT = "Rollout"
    SCORING_SERVICE = "ScoringService"
    CHAMPION = "Champion"


def token(place: Place, kind: Kind) -> str:
    """The resource type of a step."""
    return f"personalize:{place}:{kind}"


COMPUTED: dict[Place, dict[Kind, tuple[str, ...]]] = {
    Place.LOCAL: {
        Kind.REGISTRY: ("registry",),
        Kind.DATA_UPLOAD: ("location", "uploaded_hash", "claim"),
        Kind.TRAINING_RUN: ("bundle", "bundle_hash", "verdict", "metrics", "report", "claim"),
        Kind.MODEL_VERSION: ("version", "served_hash", "metrics", "report"),
        Kind.SERVING_IMAGE: ("digest",),
        Kind.API_KEY: ("current", "previous"),
        Kind.SCORING_SERVICE: ("endpoint", "served_version", "status"),
    },
    Place.AZURE: {
        Kind.REGISTRY: ("registry",),
        Kind.WORKSPACE_READY: ("url", "metastore"),
        Kind.CLUSTER_READY: ("access",),
        Kind.DATA_UPLOAD: ("location", "uploaded_hash", "claim"),
        Kind.TRAINING_RUN: ("bundle", "bundle_hash", "verdict", "metrics", "report", "claim", "bundle_url", "run_url"),
        Kind.MODEL_VERSION: ("version", "served_hash", "served_url", "metrics", "report"),
        Kind.SERVING_IMAGE: ("digest", "image"),
        Kind.ENVIRONMENT: ("environment",),
        Kind.API_KEY: ("current", "previous"),
        Kind.CERTIFICATE: ("authority", "certificate", "private_key"),
        Kind.ROLLOUT: ("stable", "candidate", "weight", "refusal"),
        Kind.CHAMPION: ("champion",),
    },
}
"""What each step computes beyond its inputs; an input keeps its name, so none of these may equal one."""
