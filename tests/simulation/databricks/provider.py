"""Stands in for Pulumi's provider `databricks`: creates the same resources in the simulated cloud's record."""

import asyncio

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.plugins.environment import world_from_environment
from tests.simulation.plugins.protocol import serve
from tests.simulation.services import jobs, unity

VERSION = "1.118.0"
TYPES = {kind.pulumi_type: kind for kind in [*unity.TYPES, *jobs.TYPES]}

if __name__ == "__main__":
    asyncio.run(serve(Databricks(world_from_environment(), TYPES), VERSION))
