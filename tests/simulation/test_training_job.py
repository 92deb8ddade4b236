"""The project's own wheel as a job of the simulated Databricks: real Spark, a real model, written to the lake."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.azure_native import AzureNative
from tests.simulation.changes import changed
from tests.simulation.databricks_cloud import Databricks
from tests.simulation.databricks_provider import TYPES
from tests.simulation.examples import create_all, example
from tests.simulation.fakes.cluster import LocalCluster, spark_environment
from tests.simulation.fakes.internet import Internet
from tests.simulation.fakes.runs import Run, Runs
from tests.simulation.inputs.names import DEPLOYER
from tests.simulation.runtime.environment import runtime
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import FILE, JOB
from tests.simulation.test_databricks_refusals import EXAMPLES
from tests.simulation.world import World
from tools import azurite
from tools.paths import ROOT
from tools.setup.uv import ensure_uv

pytestmark = [pytest.mark.spark, pytest.mark.full]

LAKE_URL = "abfss://raw@lakeabc.dfs.core.windows.net"
PARAMETERS = ["--dataset", "synthetic", "--rows", "3000", "--num-iterations", "5", "--driver-memory-gib", "1", "--json"]


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    """The fakes over the examples, with the access connector let at the lake."""
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
    before = dict(os.environ)
    os.environ.update(started.environment())
    yield started
    os.environ.clear()
    os.environ.update(before)
    started.stop()
    world.close()


@pytest.mark.usefixtures("internet")
def test_the_wheel_trains_on_the_cluster_and_leaves_its_bundle_in_the_lake(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    command = [str(ensure_uv()), "build", "--wheel", "--out-dir", str(tmp_path / "dist"), str(ROOT)]
    built_without = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    built_without.pop("SSL_CERT_FILE")
    subprocess.run(command, check=True, capture_output=True, env=built_without)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    workspace = world.all(workspaces.TYPE)[0]
    world.set("members", {workspace.outputs["workspaceId"]: [DEPLOYER]})
    databricks = Databricks(world, TYPES)
    databricks.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    for kind, inputs in EXAMPLES:
        content = {"contentBase64": base64.b64encode(wheel.read_bytes()).decode()} if kind == FILE else {}
        databricks.create(kind, inputs | content)
    job = world.all(JOB)[0]
    task = {
        "packageName": "training.__main__",
        "entryPoint": "main",
        "parameters": [*PARAMETERS, "--output", f"{LAKE_URL}/runs/1"],
    }
    inputs = changed(job.inputs, "tasks.0.pythonWheelTask", task)
    run = Run(500, "1", token=None, parameters={}, caller=DEPLOYER, inputs=inputs)
    cluster = LocalCluster(world, runtime(), spark_environment(memory_gib=1))
    result = json.loads(cluster(run).splitlines()[-1])
    assert 0.5 < result["metrics"]["auc"] < 1.0

    from azure.identity import AzureCliCredential
    from azure.storage.blob import ContainerClient

    lake = ContainerClient("https://lakeabc.blob.core.windows.net", "raw", AzureCliCredential())
    names = {blob.name.rpartition("/")[2] for blob in lake.list_blobs("runs/1/")}
    assert {"model.txt", "metadata.json", "golden.jsonl", "schema.json"} <= names
    world.close()
