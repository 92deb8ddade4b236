"""Fixtures of the simulated cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.world import World
from tests.support.azure_files import pytest_pycollect_makemodule  # noqa: F401 - a hook


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty cloud in which nothing takes time."""
    opened = World(tmp_path / "world")
    yield opened
    opened.close()
