"""The stages in order. Each does one thing, then checks the simulation's assumptions about it."""

from personalize.verify.stage import Stage
from personalize.verify.stages.canary import CANARY
from personalize.verify.stages.cluster import ENDPOINT, SERVICE
from personalize.verify.stages.images import IMAGE
from personalize.verify.stages.life import AGAIN, DESTROY, PAUSE, UP
from personalize.verify.stages.models import MODEL
from personalize.verify.stages.storage import DATA
from personalize.verify.stages.subscription import BOOTSTRAP, PREVIEW, SUBSCRIPTION
from personalize.verify.stages.training import TRAINING

STAGES: tuple[Stage, ...] = (
    SUBSCRIPTION,
    BOOTSTRAP,
    PREVIEW,
    UP,
    DATA,
    CANARY,
    TRAINING,
    MODEL,
    IMAGE,
    SERVICE,
    ENDPOINT,
    AGAIN,
    PAUSE,
    DESTROY,
)
