"""The project's wheel as a job of the simulated Databricks: real Spark trains real models on volumes of the lake, with
libraries from a volume."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from steps.shared.job_libraries import job_libraries
from steps.shared.volumes import Volume
from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.databricks import APPLICATION
from tests.simulation.examples.lakehouse import create_before, create_volumes
from tests.simulation.examples.names import DEPLOYER
from tests.simulation.fakes.cluster import LocalCluster, spark_environment
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.runs import Run, Runs, TaskFailedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.runtime.environment import runtime
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import JOB
from tests.simulation.services.privileges import GRANT
from tests.simulation.world import World
from tools import azurite
from tools.setup.wheels import SYNAPSEML, ensure_wheels, locked_wheels
from training.parameters import Fit
from training.runtime import jars_folder

pytestmark = [pytest.mark.spark, pytest.mark.full]

VOLUMES = "/Volumes/dev/training"
REQUEST = {
    "dataset": {"kind": "synthetic", "rows": 3000},
    "training": {"num_iterations": 5, "driver_memory_gib": 1},
    "gate": {"min_auc": 0.5},
    "data": f"{VOLUMES}/raw/data",
    "manifest_hash": "a" * 64,
    "fetch": True,
    "output": f"{VOLUMES}/models/runs/1",
    "work": f"{VOLUMES}/work",
}
SECOND = {
    "training": {"num_iterations": 5, "driver_memory_gib": 1, "fit": "synapseml"},
    "fetch": False,
    "champion": f"{VOLUMES}/models/runs/1/bundle",
    "champion_version": 1,
    "output": f"{VOLUMES}/models/runs/2",
}
CONTAINER, ROLE = "azure-native:storage:BlobContainer", "azure-native:authorization:RoleAssignment"


@dataclass
class Workspace:
    """The lake with the job's libraries, and the job on two workers."""

    internet: Internet
    runs: Runs
    world: World
    databricks: Databricks
    job: dict[str, Any]

    def run(self, number: int, **request: Any) -> str:
        """A run of the job, which runs as a service principal."""
        task = {"packageName": "personalization", "entryPoint": "train", "parameters": [json.dumps(REQUEST | request)]}
        inputs = changed(self.job, "tasks.0.pythonWheelTask", task)
        cluster = LocalCluster(self.world, runtime(), spark_environment(memory_gib=1))
        return cluster(Run(number, "1", token=None, parameters={}, caller=APPLICATION, inputs=inputs))

    def grant(self, securable: str, name: str, *privileges: str) -> None:
        """Grant the run's principal something."""
        given = {securable: name, "principal": APPLICATION, "privileges": list(privileges)}
        self.databricks.create(GRANT, given)

    def container(self, name: str) -> Any:
        """A container of the lake, for the deployer."""
        from azure.identity import AzureCliCredential
        from azure.storage.blob import ContainerClient

        return ContainerClient("https://lakeabc.blob.core.windows.net", name, AzureCliCredential())

    def names(self, container: str, folder: str) -> list[str]:
        """The files below a folder, without their folders' names."""
        return [blob.name.rpartition("/")[2] for blob in self.container(container).list_blobs(folder)]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """The fakes with the example resources, the stack's volumes, and a role for the access connector."""
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    packages = ensure_wheels(locked_wheels(SYNAPSEML))
    world = World(tmp_path / "world")
    arm = AzureNative(world)
    create_all(arm)
    for name in ("models", "work", "snapshots"):
        arm.create(CONTAINER, example(CONTAINER) | {"containerName": name})
    connector = next(item for item in world.all() if item.id.endswith("/lake-access"))
    principal = {"principalId": connector.outputs["identity"]["principalId"], "principalType": "ServicePrincipal"}
    arm.create(ROLE, example(ROLE) | principal | {"roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0043"})
    workspace = world.all(workspaces.TYPE)[0]
    world.set("members", {workspace.outputs["workspaceId"]: [DEPLOYER]})
    databricks = Databricks(world, TYPES)
    databricks.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    create_before(databricks, None)
    databricks.delete(GRANT, f"catalog/dev/{APPLICATION}")
    create_volumes(databricks)
    runs = Runs(LocalCluster(world, runtime(), spark_environment(memory_gib=1)))
    internet = Internet(world, runs)
    internet.start()
    with internet.entered():
        made = Workspace(internet, runs, world, databricks, world.all(JOB)[0].inputs)
        _send_libraries(made, packages)
        yield made
    internet.stop()
    world.close()


def _send_libraries(workspace: Workspace, packages: Path) -> None:
    """What the stack's step uploads, and the job's own names for it."""
    wanted = job_libraries(VOLUMES, Fit.SYNAPSEML)
    files = [packages / wheel.name for wheel in wanted.wheels] + [jars_folder() / jar for jar in wanted.jars]
    sent = {f"{wanted.packages}/{file.name}": file.read_bytes() for file in files}
    sent[f"{wanted.own}/{wanted.wheel.name}"] = wanted.wheel.content
    sent[f"{wanted.own}/requirements.txt"] = wanted.requirements.encode()
    lake = workspace.container(Volume.LIBRARIES.container)
    for name, content in sent.items():
        lake.upload_blob(f"{Volume.LIBRARIES.folder}/{name}", content)
    listed = [{"requirements": wanted.requirements_path}, *({"jar": jar} for jar in wanted.jar_paths)]
    workspace.job = changed(workspace.job, "tasks.0.libraries", listed)


def test_a_job_that_may_only_read_says_who_must_grant_what(workspace: Workspace) -> None:
    workspace.grant("catalog", "dev", "READ_VOLUME", "USE_CATALOG", "USE_SCHEMA")
    with pytest.raises(TaskFailedError, match=r"can't write to the volume /Volumes/dev/training/\w+.*run `up` again"):
        workspace.run(500)
    assert workspace.names("models", "files/") == []


@pytest.mark.timeout(1800)
def test_two_trainings_on_two_workers_in_volumes_without_pypi_and_maven(workspace: Workspace) -> None:
    workspace.grant("catalog", "dev", "READ_VOLUME", "USE_CATALOG", "USE_SCHEMA")
    for volume in ("raw", "models", "work"):
        workspace.grant("volume", f"dev.training.{volume}", "WRITE_VOLUME")
    workspace.run(510)
    workspace.run(520, **SECOND)
    for number in (1, 2):
        result = json.loads(workspace.container("models").download_blob(f"files/runs/{number}/result.json").readall())
        assert 0.5 < result["metrics"]["auc"] < 1.0
        names = workspace.names("models", f"files/runs/{number}/bundle/")
        assert {"model.txt", "metadata.json", "golden.jsonl", "schema.json"} <= set(names)
    assert "champion" in json.dumps(result["verdict"])
    assert workspace.names("raw", "files/data/")
    assert workspace.names("work", "files/") == []
    assert workspace.internet.proxy is not None
    assert workspace.internet.proxy.refused == []
