"""Databricks: membership of a workspace, and a job's runs."""

import base64
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.simulation.clients.calls import NOBODY
from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.azure import example
from tests.simulation.examples.changes import changed
from tests.simulation.examples.databricks import EXAMPLES
from tests.simulation.examples.names import DEPLOYER
from tests.simulation.fakes.cluster import OPTIONS, LocalCluster
from tests.simulation.fakes.runs import Run, TaskFailedError
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.runtime.environment import runtime
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import FILE, JOB
from tests.support.services import wait_until
from tools import azurite

ONCE = "once"


@pytest.fixture
def job(cloud: AzureNative) -> Iterator[int]:
    """The id of the example job, in a workspace that the caller has joined."""
    workspace = cloud.world.all(workspaces.TYPE)[0]
    cloud.world.set("members", {workspace.outputs["workspaceId"]: [DEPLOYER]})
    databricks = Databricks(cloud.world, TYPES)
    databricks.configure({"host": f"https://{workspace.outputs['workspaceUrl']}"})
    existing = cloud.world.all(JOB)
    if not existing:
        for kind, inputs in EXAMPLES:
            databricks.create(kind, inputs)
        existing = cloud.world.all(JOB)
    yield int(existing[0].id.rpartition("/")[2])
    cloud.world.set("members", {})


def test_a_job_runs_once_per_token_and_reports_its_states(cloud: AzureNative, job: int) -> None:
    from databricks.sdk import WorkspaceClient

    workspace = cloud.world.all(workspaces.TYPE)[0]
    client = WorkspaceClient(
        host=f"https://{workspace.outputs['workspaceUrl']}",
        azure_workspace_resource_id=workspace.id,
        auth_type="azure-cli",
    )
    assert client.current_user.me().user_name == DEPLOYER
    assert client.metastores.current().metastore_id == "m-1"
    waiting = client.jobs.run_now(job, job_parameters={"rows": "7"}, idempotency_token=ONCE)
    run = waiting.result(timeout=timedelta(seconds=30))
    assert run.state is not None
    assert run.state.result_state is not None
    assert run.state.result_state.value == "SUCCESS"
    assert client.jobs.run_now(job, idempotency_token=ONCE).run_id == run.run_id
    assert run.tasks is not None
    assert client.jobs.get_run_output(run.tasks[0].run_id or 0).logs == "trained with {'rows': '7'}"


def test_a_failed_run_says_why_and_a_hanging_one_can_be_cancelled(cloud: AzureNative, job: int) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import RunResultState

    workspace = cloud.world.all(workspaces.TYPE)[0]
    client = WorkspaceClient(
        host=f"https://{workspace.outputs['workspaceUrl']}",
        azure_workspace_resource_id=workspace.id,
        auth_type="azure-cli",
    )
    failed = client.jobs.run_now(job, job_parameters={"error": "one class only"}).run_id
    wait_until(lambda: client.jobs.get_run_output(failed).error == "one class only")
    cloud.world.set("run_outcomes", ["hang"])
    hanging = client.jobs.run_now(job).run_id
    client.jobs.cancel_run(hanging)

    def cancelled() -> bool:
        state = client.jobs.get_run(hanging).state
        return state is not None and state.result_state is RunResultState.CANCELED

    wait_until(cancelled)


def test_signing_in_with_azures_headers_makes_the_caller_a_member(cloud: AzureNative) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import PermissionDenied

    workspace = cloud.world.all(workspaces.TYPE)[0]
    host = f"https://{workspace.outputs['workspaceUrl']}"
    with pytest.raises(PermissionDenied):
        WorkspaceClient(host=host, auth_type="azure-cli").current_user.me()
    WorkspaceClient(host=host, azure_workspace_resource_id=workspace.id, auth_type="azure-cli").current_user.me()
    assert cloud.world.setting("members")[workspace.outputs["workspaceId"]] == [DEPLOYER]
    cloud.world.set("members", {})


def wheel_of(code: str) -> bytes:
    """A wheel `tool` with the entry point `train` and the module's `code`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tool.py", code)
        archive.writestr("tool-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1\n")
        archive.writestr("tool-1.dist-info/entry_points.txt", "[console_scripts]\ntrain = tool:train\n")
        archive.writestr("tool-1.dist-info/RECORD", "")
    return packed.getvalue()


COPY_LINES = """
import sys
from pathlib import Path

def train():
    source, target = map(Path, sys.argv[1:3])
    from pyspark.dbutils import DBUtils
    made = Path("made.txt")
    made.write_text(str(sum(len(path.read_text()) for path in source.rglob("*.tsv"))))
    DBUtils(None).fs.cp(f"file:{made.absolute()}", f"{target}/made.txt")
    print("copied")
    return 0 if source.exists() else 3
"""


@pytest.mark.full
@pytest.mark.usefixtures("internet")
def test_a_cluster_runs_the_wheel_of_the_job_on_the_lake(cloud: AzureNative, job: int) -> None:
    if azurite.command() is None:
        pytest.skip("needs `python -m tools.azurite`")
    from azure.identity import AzureCliCredential
    from azure.storage.blob import ContainerClient

    lake = ContainerClient("https://lakeabc.blob.core.windows.net", "raw", AzureCliCredential())
    lake.upload_blob("in/dt=1/part-0.tsv", b"seven77", overwrite=True)
    connector = next(item for item in cloud.world.all() if item.id.endswith("/lake-access"))
    kind = "azure-native:authorization:RoleAssignment"
    assignment = example(kind) | {
        "principalId": connector.outputs["identity"]["principalId"],
        "principalType": "ServicePrincipal",
        "roleAssignmentName": "0f1a9a44-7a53-4b5b-9a5e-6f5d5f0a0043",
    }
    inputs = changed(next(item for item in cloud.world.all(JOB)).inputs, "tasks.0.pythonWheelTask", {})
    url = "abfss://raw@lakeabc.dfs.core.windows.net"
    inputs["tasks"][0]["pythonWheelTask"] = {
        "packageName": "tool",
        "entryPoint": "train",
        "parameters": ["{{job.parameters.data}}", f"{url}/out"],
    }
    inputs["parameters"] = [{"name": "data", "default": f"{url}/in"}]
    stored = next(item for item in cloud.world.all(FILE))
    wheel = base64.b64encode(wheel_of(COPY_LINES)).decode()
    cloud.world.put(replace(stored, inputs=stored.inputs | {"contentBase64": wheel}))
    cluster = LocalCluster(cloud.world, runtime(), {OPTIONS: ""})
    with pytest.raises(TaskFailedError, match="AuthorizationPermissionMismatch"):
        cluster(Run(900, str(job), token=None, parameters={}, inputs=inputs, caller=DEPLOYER))
    cloud.create(kind, assignment)
    assert cluster(Run(910, str(job), token=None, parameters={}, inputs=inputs, caller=DEPLOYER)) == "copied\n"
    assert lake.download_blob("out/made.txt").readall() == b"7"
    with pytest.raises(TaskFailedError, match="READ FILES"):
        cluster(Run(920, str(job), token=None, parameters={}, inputs=inputs, caller=NOBODY))
    other = {"data": url.replace("raw", "models")}
    elsewhere = Run(930, str(job), token=None, parameters=other, inputs=inputs, caller=DEPLOYER)
    with pytest.raises(TaskFailedError, match="no external location"):
        cluster(elsewhere)
