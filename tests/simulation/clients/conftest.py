"""The fakes behind Azure's host names, called with Microsoft's and Databricks' own client libraries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.examples.azure import create_all
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.runs import Run, Runs, TaskFailedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.world import World


def task(run: Run) -> str:
    """A task that fails if its parameters say so."""
    if "error" in run.parameters:
        raise TaskFailedError(run.parameters["error"])
    return f"trained with {run.parameters}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One world for all tests here: starting the fakes takes a second or two."""
    return tmp_path_factory.mktemp("internet")


@pytest.fixture(scope="module")
def internet(folder: Path, azure_packages: None) -> Iterator[Internet]:  # noqa: ARG001 - skips before anything starts
    """The fakes with the example resources; this process's environment leads to them."""
    world = World(folder / "world")
    create_all(AzureNative(world))
    started = Internet(world, Runs(task))
    started.start()
    with started.entered():
        yield started
    assert started.proxy is not None
    refused = list(started.proxy.refused)
    started.stop()
    world.close()
    assert refused == [], "no client called a host that is no part of the simulation"


@pytest.fixture(scope="module")
def cloud(folder: Path, internet: Internet) -> Iterator[AzureNative]:  # noqa: ARG001 - it must be running
    """The Resource Manager of that world."""
    arm = AzureNative(World(folder / "world"))
    yield arm
    arm.world.close()
