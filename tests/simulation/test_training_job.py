"""The project's wheel as a job of the simulated Databricks: real Spark trains a real model and writes it to the
lake."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.shared.wheel import build_wheel
from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import create_all, example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.databricks import EXAMPLES, VOLUME_GRANT
from tests.simulation.examples.names import DEPLOYER
from tests.simulation.fakes.cluster import LocalCluster, lake_of, spark_environment
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.runs import Run, Runs, TaskFailedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.runtime.environment import runtime
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import FILE, JOB
from tests.simulation.services.privileges import GRANT
from tests.simulation.world import World
from tools import azurite

pytestmark = [pytest.mark.spark, pytest.mark.full]

LAKE_URL = "abfss://raw@lakeabc.dfs.core.windows.net"
REQUEST = {
    "dataset": {"kind": "synthetic", "rows": 3000},
    "training": {"num_iterations": 5, "driver_memory_gib": 1},
    "gate": {"min_auc": 0.5},
    "data": f"{LAKE_URL}/data",
    "manifest_hash": "a" * 64,
    "fetch": True,
    "output": f"{LAKE_URL}/runs/1",
    "work": "/Volumes/dev/training/work",
}


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    """The fakes with the example resources; the access connector has its role on the lake."""
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    world = World(tmp_path / "world")
    arm = AzureNative(world)
    create_all(arm)
    connector = next(item for item in world.all() if item.id.endswith("/lake-access"))
    kind = "azure-native:authorization:RoleAssignment"
    role = example(kind) | {
        "principalId": connector.outputs["identity"]["principalId"],
        "principalType": "ServicePrincipal",
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0043",
    }
    arm.create(kind, role)
    started = Internet(world, Runs(lambda _: ""))
    started.start()
    with started.entered():
        yield started
    started.stop()
    world.close()


@pytest.mark.usefixtures("internet")
def test_the_wheel_trains_on_two_workers_that_share_a_volume_and_leaves_its_bundle_in_the_lake(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    workspace = world.all(workspaces.TYPE)[0]
    world.set("members", {workspace.outputs["workspaceId"]: [DEPLOYER]})
    databricks = Databricks(world, TYPES)
    databricks.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    for kind, inputs in EXAMPLES:
        content = {"contentBase64": build_wheel().content_base64} if kind == FILE else {}
        databricks.create(kind, inputs | content)
    task = {"packageName": "personalization", "entryPoint": "train", "parameters": [json.dumps(REQUEST)]}
    inputs = changed(world.all(JOB)[0].inputs, "tasks.0.pythonWheelTask", task)
    run = Run(500, "1", token=None, parameters={}, caller=DEPLOYER, inputs=inputs)
    cluster = LocalCluster(world, runtime(), spark_environment(memory_gib=1))
    with pytest.raises(TaskFailedError, match="WRITE VOLUME"):
        cluster(run)
    databricks.create(GRANT, VOLUME_GRANT)
    cluster(run)

    from azure.identity import AzureCliCredential
    from azure.storage.blob import ContainerClient

    lake = ContainerClient("https://lakeabc.blob.core.windows.net", "raw", AzureCliCredential())
    result = json.loads(lake.download_blob("runs/1/result.json").readall())
    assert 0.5 < result["metrics"]["auc"] < 1.0
    names = {blob.name.rpartition("/")[2] for blob in lake.list_blobs("runs/1/bundle/")}
    assert {"model.txt", "metadata.json", "golden.jsonl", "schema.json"} <= names
    assert list((lake_of(world.folder, 500) / "volumes" / "dev.training.work").iterdir()) == []
    world.close()
