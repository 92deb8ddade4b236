"""A valid example of every resource type that the simulation knows, in creation order."""

from typing import Any

from tests.simulation.examples.cluster import CLUSTER_PARTS
from tests.simulation.examples.models import MODELS
from tests.simulation.examples.monitoring import MONITORING
from tests.simulation.examples.network import NETWORKS
from tests.simulation.examples.storage import STORAGE
from tests.simulation.resource_manager.arm import Arm

EXAMPLES: list[tuple[str, dict[str, Any]]] = [*STORAGE, *MONITORING, *MODELS, *CLUSTER_PARTS, *NETWORKS]


def create_all(arm: Arm, until: str | None = None) -> None:
    """Create the examples in order; stop before the first of the type `until`."""
    for kind, inputs in EXAMPLES:
        if kind == until:
            return
        arm.create(kind, inputs)


def example(kind: str) -> dict[str, Any]:
    """The first example of a type."""
    return next(inputs for name, inputs in EXAMPLES if name == kind)
