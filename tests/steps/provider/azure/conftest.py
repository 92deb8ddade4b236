"""The Azure steps against the simulated Azure: real SDKs over real HTTP, with Azure's host names behind a proxy."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from steps.image_content import PROJECT_FILES, RECIPE, SERVING_PACKAGES
from tests.simulation.fakes.blob import azurite_command
from tests.simulation.fakes.runs import Run, Runs
from tests.simulation.resource_manager import Arm
from tests.simulation.services.catalogue import DATABRICKS
from tests.simulation.simulation import Simulation
from tests.simulation.world import DEFAULTS, World
from tests.steps.provider.azure.examples import (
    CONTAINERS,
    DEPLOYER,
    GROUP,
    TABLES,
    as_owner,
    config_in_place,
    create_all,
    open_shop,
)
from tests.steps.provider.steps import STACK
from tests.support.azure_files import pytest_pycollect_makemodule  # noqa: F401 - a hook
from tools.paths import ROOT
from training.parameters import TablesDataset


@pytest.fixture(autouse=True, scope="session")
def simulated_storage() -> None:
    """Skip if the simulated storage is not installed."""
    if azurite_command() is None:
        pytest.skip("needs `python -m tools.npm azurite`")


TENANT = DEFAULTS["tenant"]
SUBSCRIPTION = DEFAULTS["subscription"]
NOBODY = "99999999-9999-4999-8999-999999999999"
BLOB = "https://lakeabc.blob.core.windows.net/"
VOLUMES = "/Volumes/lake_dev/training"
AZURE = {"stack": STACK, "tenant": TENANT}
WORKSPACE = {"tenant": TENANT, "subscription": SUBSCRIPTION, "resource_group": GROUP, "workspace": "models"}
MACHINE_LEARNING = {"stack": STACK, **WORKSPACE}


def container(name: str) -> Any:
    """A container of the lake, as the signed-in identity."""
    from azure_clients import credentials  # noqa: PLC0415 - needs Azure's SDKs

    return credentials.container(TENANT, BLOB, name)


def upload(folder: Path, name: str, path: str) -> None:
    """Upload every file below `folder` to the path in this container of the lake."""
    for file in (found for found in folder.rglob("*") if found.is_file()):
        place = f"{path}/{file.relative_to(folder).as_posix()}"
        container(name).upload_blob(place, file.read_bytes(), overwrite=True)


def _empty(container: Any) -> None:
    for blob in list(container.list_blobs()):
        container.delete_blob(blob.name)


@dataclass
class Task:
    """The training job's work on the simulated cluster; a test sets `work`."""

    work: Any = None

    def __call__(self, run: Run) -> str:
        return str(self.work(run)) if self.work else "done"


@dataclass
class Cloud:
    """The simulated Azure with the example resources."""

    arm: Arm
    task: Task
    environment: dict[str, str]
    """Environment variables that make a process use it."""

    @property
    def world(self) -> World:
        return self.arm.world

    def sign_in(self, who: str) -> None:
        from azure_clients import credentials  # noqa: PLC0415 - needs Azure's SDKs

        self.world.set("caller", who)
        credentials.forget_tokens()

    def calls(self) -> int:
        return self.arm.faults.calls()[-1].number

    def asked(self, method: str, since: int = 0) -> list[str]:
        """The paths of its calls by an HTTP method, after so many others."""
        calls = [call.id.partition(" ") for call in self.arm.faults.calls(since)]
        return [path for found, _, path in calls if found == method]

    @property
    def workspace(self) -> dict[str, str]:
        """The step inputs that name the Databricks workspace."""
        found = self.world.all(DATABRICKS)[0]
        return {"workspace_id": found.id, "workspace_host": found.outputs["workspaceUrl"]}


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulation, Cloud]]:
    """Start it once: that takes seconds."""
    world = World(tmp_path_factory.mktemp("azure") / "world")
    arm = Arm(world)
    create_all(arm)
    task = Task()
    with Simulation(world, Runs(task)).running() as simulation:
        yield simulation, Cloud(arm, task, simulation.environment())
    world.close()


@pytest.fixture
def cloud(_running: tuple[Simulation, Cloud]) -> Iterator[Cloud]:
    """The simulated Azure without blobs and models, for this process the real one; reset after each test."""
    simulation, cloud = _running
    with simulation.entered():
        cloud.sign_in(DEPLOYER)
        cloud.world.set("ml_assets", {})
        for name in CONTAINERS:
            _empty(container(name))
        yield cloud
        cloud.sign_in(DEPLOYER)
    cloud.world.set("metastore", value=True)
    cloud.task.work = None
    left = cloud.arm.faults.pending()
    cloud.arm.faults.clear()
    assert left == 0


@pytest.fixture(scope="session")
def _shop(_running: Any) -> None:
    open_shop(_running[1].arm)


@pytest.fixture
def shop(cloud: Cloud, _shop: None) -> Any:
    """The empty container as its owner writes it; a deployer is signed in."""
    client = as_owner(cloud.world)
    _empty(client)
    return client


@pytest.fixture
def tables(shop: Any, tmp_path: Path) -> TablesDataset:
    """The example's tables in the container, and their config."""
    for name in ("interactions", "users", "items"):
        shop.upload_blob(f"shop/{name}.csv", (TABLES / f"{name}.csv").read_bytes(), overwrite=True)
    (tmp_path / "dataset.yaml").write_text(config_in_place())
    return TablesDataset(kind="tables", spec=tmp_path / "dataset.yaml")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the serving code that a test may edit, with a Dockerfile; images are built from it."""
    place = tmp_path / "code"
    monkeypatch.setattr("steps.serving_image.ServingImageOnAzure.code", place)
    for package in SERVING_PACKAGES:
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "training").mkdir()
    for name in PROJECT_FILES:
        shutil.copyfile(ROOT / name, place / name)
    (place / RECIPE).write_text("FROM scratch\n")
    return place
