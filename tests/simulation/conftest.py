"""Fixtures of the simulated cloud. Its models and SDKs are in the extra `azure` and the group `simulation`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.requirements import need_azure_packages
from tests.simulation.state_machines import machine, program, simulated
from tests.simulation.world import World

__all__ = ["machine", "program", "simulated"]
"""The fixtures of tests whose state backend is in the subscription."""


@pytest.fixture(autouse=True, scope="session")
def azure_packages() -> None:
    """Skip if the packages of the Azure stack aren't installed."""
    need_azure_packages()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty cloud in which nothing takes time."""
    opened = World(tmp_path / "world")
    yield opened
    opened.close()
