"""Whether the nightly run trains: only for new data, and not if something else has changed too."""

from dataclasses import dataclass
from enum import StrEnum

from personalize.delivery.plan import Plan
from steps.kinds import Kind

DATA_INPUTS = frozenset({"manifest_hash", "location"})
"""The inputs of upload and training that identify the data. Any other difference is in settings or code."""
AFTER_TRAINING = frozenset(
    {
        Kind.MODEL_VERSION,
        Kind.SERVING_IMAGE,
        Kind.ENVIRONMENT,
        Kind.SCORING_SERVICE,
        Kind.CHAMPION,
    }
)
"""Steps that change with a new model, whatever their difference."""
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
"""Changes because the pods' image has a new digest."""


class Need(StrEnum):
    """The situation of a nightly run."""

    NOTHING = "nothing"
    NEW_DATA = "new data"
    OTHER_CHANGES = "other changes"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The decision, and its reason as a sentence."""

    need: Need
    reason: str


def decide(plan: Plan) -> Decision:
    """Train for new data only. Other changes of the repository need their own, reviewed deployment."""
    if not plan.changes:
        return Decision(need=Need.NOTHING, reason="No new data since the last training: nothing to do.")
    others = [change.name for change in plan.changes if not _follows_from_data(change.type, change.properties)]
    if others:
        return Decision(
            need=Need.OTHER_CHANGES,
            reason=f"More than the data has changed: {', '.join(others)} would change too. Deploy first. No model "
            "was trained.",
        )
    steps = {_kind(change.type) for change in plan.changes}
    if not steps & {Kind.DATA_UPLOAD, Kind.TRAINING_RUN}:
        return Decision(
            need=Need.OTHER_CHANGES,
            reason="The data is unchanged, but the service would change: the last deployment did not finish. "
            "Deploy again. No model was trained.",
        )
    return Decision(need=Need.NEW_DATA, reason="There is new data: training a model on it.")


def _follows_from_data(kind: str, properties: tuple[str, ...]) -> bool:
    match _kind(kind):
        case Kind.DATA_UPLOAD | Kind.TRAINING_RUN:
            return {path.partition(".")[0].partition("[")[0] for path in properties} <= DATA_INPUTS
        case step:
            return step in AFTER_TRAINING or kind == DEPLOYMENT


def _kind(token: str) -> str:
    return token.rpartition(":")[2] if token.startswith("personalize:") else ""
