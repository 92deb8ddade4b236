"""Fixtures of the simulated cloud. Its models and SDKs are in the extra `azure` and the group `simulation`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import create_all
from tests.simulation.requirements import need_azure_packages
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services import databricks as workspaces
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


@pytest.fixture
def arm(world: World) -> AzureNative:
    """The Resource Manager of that cloud."""
    return AzureNative(world)


@pytest.fixture
def lakehouse(arm: AzureNative) -> Databricks:
    """Databricks with the example workspace, of which the caller is a member."""
    create_all(arm)
    workspace = arm.world.all(workspaces.TYPE)[0]
    arm.world.set("members", {workspace.outputs["workspaceId"]: [arm.world.setting("caller")]})
    cloud = Databricks(arm.world, TYPES)
    cloud.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    return cloud
