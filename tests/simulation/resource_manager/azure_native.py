"""Stands in for Pulumi's provider `azure-native`: creates the same resources in the simulated cloud's record."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.simulation.plugins.environment import world_from_environment
from tests.simulation.plugins.protocol import serve
from tests.simulation.refusal import RefusedError
from tests.simulation.resource_manager.arm import Arm
from tests.simulation.services.catalogue import FUNCTIONS, TYPES
from tests.simulation.world import World

VERSION = "3.29.0"


class AzureNative(Arm):
    """The Resource Manager with azure-native's functions."""

    def __init__(self, world: World) -> None:
        """Knows all types of the catalogue."""
        super().__init__(world, TYPES)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """No provider setting matters here."""

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function."""
        if token not in FUNCTIONS:
            raise RefusedError(400, "UnknownFunction", f"The simulation has no {token}.")
        with self.world.transaction():
            return FUNCTIONS[token](self.world, arguments)


if __name__ == "__main__":
    asyncio.run(serve(AzureNative(world_from_environment()), VERSION))
