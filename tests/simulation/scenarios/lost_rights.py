"""A training run that may only read: somebody takes the catalog over, and the right to write to its volumes away."""

from dataclasses import dataclass, field, replace

from tests.simulation.databricks.cloud import OWNER
from tests.simulation.scenarios.stack import SimulatedStack
from tests.simulation.services.privileges import GRANT
from tests.simulation.services.unity import CATALOG, SCHEMA, VOLUME
from tests.simulation.world import Record

ADMIN = "metastore-admins"
WRITE = "WRITE_VOLUME"


@dataclass
class LostRights:
    """Whoever owns an object of Unity Catalog may do anything with it, so taking the grants away is not enough."""

    before: list[Record] = field(default_factory=list)

    def take(self, stack: SimulatedStack) -> None:
        """Make an admin the owner, and remove each grant to write."""
        self.before = [record for kind in (CATALOG, SCHEMA, VOLUME, GRANT) for record in stack.world.all(kind)]
        for record in self.before:
            if record.type != GRANT:
                stack.world.put(replace(record, outputs=record.outputs | {OWNER: ADMIN}))
            elif WRITE in record.inputs["privileges"]:
                stack.world.remove(record.id)

    def give(self, stack: SimulatedStack) -> None:
        """As before."""
        for record in self.before:
            stack.world.put(record)
