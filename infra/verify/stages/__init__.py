"""The stages in their order. Each does one thing, then looks at what the simulation assumes about it."""

from infra.verify.stage import Stage
from infra.verify.stages.cluster import ENDPOINT, SERVICE
from infra.verify.stages.images import IMAGE
from infra.verify.stages.life import AGAIN, DESTROY, PAUSE, UP
from infra.verify.stages.models import MODEL
from infra.verify.stages.storage import DATA
from infra.verify.stages.subscription import BOOTSTRAP, PREVIEW, SUBSCRIPTION
from infra.verify.stages.training import TRAINING

STAGES: tuple[Stage, ...] = (
    SUBSCRIPTION,
    BOOTSTRAP,
    PREVIEW,
    UP,
    DATA,
    TRAINING,
    MODEL,
    IMAGE,
    SERVICE,
    ENDPOINT,
    AGAIN,
    PAUSE,
    DESTROY,
)
