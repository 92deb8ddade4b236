"""Fixtures of the simulated cloud. Its models and SDKs are in the extra `azure` and the group `simulation`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.world import World
from tests.support.azure_files import need_models


@pytest.fixture(autouse=True, scope="session")
def azure_packages() -> None:
    """Skip if the packages of the Azure stack aren't installed."""
    need_models()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty cloud in which nothing takes time."""
    opened = World(tmp_path / "world")
    yield opened
    opened.close()
