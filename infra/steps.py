"""The names of the steps' resources and of what each computes: the one contract between the graph and the provider."""

from enum import StrEnum


class Kind(StrEnum):
    """A step's resource type, the last part of its token."""

    REGISTRY = "Registry"
    DATA_UPLOAD = "DataUpload"
    TRAINING_RUN = "TrainingRun"
    MODEL_VERSION = "ModelVersion"
    SERVING_IMAGE = "ServingImage"
    API_KEY = "ApiKey"
    SCORING_SERVICE = "ScoringService"


COMPUTED: dict[Kind, tuple[str, ...]] = {
    Kind.REGISTRY: ("registry",),
    Kind.DATA_UPLOAD: ("location", "uploaded_hash", "claim"),
    Kind.TRAINING_RUN: ("bundle", "bundle_hash", "verdict", "metrics", "report", "claim"),
    Kind.MODEL_VERSION: ("version", "served_hash", "metrics", "report"),
    Kind.SERVING_IMAGE: ("digest",),
    Kind.API_KEY: ("current", "previous"),
    Kind.SCORING_SERVICE: ("endpoint", "served_version", "status"),
}
"""What each step computes beyond its inputs; an input keeps its name, so none of these may equal one."""
