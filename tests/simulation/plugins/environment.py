"""How a process of the simulation finds its record."""

import os
from pathlib import Path

from tests.simulation.refusal import RefusedError
from tests.simulation.world import World

WORLD_VARIABLE = "SIMULATED_AZURE"
"""Environment variable with the folder of the `World`."""


def world_from_environment() -> World:
    """This process's record. Raises `RefusedError` if the environment names none."""
    folder = os.environ.get(WORLD_VARIABLE)
    if folder is None:
        raise RefusedError(0, "NoWorld", f"{WORLD_VARIABLE} must name the folder of the simulated cloud's record.")
    return World(Path(folder))
