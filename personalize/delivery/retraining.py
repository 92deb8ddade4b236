"""Whether the nightly run has anything to do: new data trains a model, anything else is not its business."""

from dataclasses import dataclass
from enum import StrEnum

from personalize.delivery.plan import Plan
from steps.kinds import Kind

DATA_INPUTS = frozenset({"manifest_hash", "location"})
"""By these upload and training know their data; a difference in any other input is one of settings or of code."""
AFTER_TRAINING = frozenset(
    {
        Kind.MODEL_VERSION,
        Kind.SERVING_IMAGE,
        Kind.ENVIRONMENT,
        Kind.ROLLOUT,
        Kind.SCORING_SERVICE,
        Kind.CHAMPION,
    }
)
"""Steps that follow from a new model, whatever differs in them."""
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
"""The pods' image has a new digest."""


class Need(StrEnum):
    """What a nightly run finds."""

    NOTHING = "nothing"
    NEW_DATA = "new data"
    OTHER_CHANGES = "other changes"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done, and the sentence that says why."""

    need: Need
    reason: str


def decide(plan: Plan) -> Decision:
    """Train for new data only: what else has changed in the repository goes out by its own, reviewed deployment."""
    if not plan.changes:
        return Decision(need=Need.NOTHING, reason="No new data since the last training: nothing to do.")
    others = [change.name for change in plan.changes if not _follows_from_data(change.type, change.properties)]
    if others:
        return Decision(
            need=Need.OTHER_CHANGES,
            reason=f"Not only the data has changed: {', '.join(others)} would change too. Deploy first; "
            "tonight nothing is trained.",
        )
    steps = {_kind(change.type) for change in plan.changes}
    if not steps & {Kind.DATA_UPLOAD, Kind.TRAINING_RUN}:
        return Decision(
            need=Need.OTHER_CHANGES,
            reason="The data is the same, yet the service would change: the last deployment did not finish. "
            "Deploy again; tonight nothing is trained.",
        )
    return Decision(need=Need.NEW_DATA, reason="There is new data: a model is trained on it.")


def _follows_from_data(kind: str, properties: tuple[str, ...]) -> bool:
    match _kind(kind):
        case Kind.DATA_UPLOAD | Kind.TRAINING_RUN:
            return {path.partition(".")[0].partition("[")[0] for path in properties} <= DATA_INPUTS
        case step:
            return step in AFTER_TRAINING or kind == DEPLOYMENT


def _kind(token: str) -> str:
    return token.rpartition(":")[2] if token.startswith("personalize:") else ""
