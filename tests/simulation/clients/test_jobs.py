"""Databricks: membership of a workspace, and a job's runs."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.simulation.databricks.cloud import Databricks
from tests.simulation.databricks.provider import TYPES
from tests.simulation.examples.databricks import EXAMPLES
from tests.simulation.examples.names import DEPLOYER
from tests.simulation.resource_manager.azure_native import AzureNative
from tests.simulation.services import databricks as workspaces
from tests.simulation.services.jobs import JOB
from tests.simulation.services.pools import used_vcpus
from tests.support.services import wait_until

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


def test_a_run_beyond_the_region_s_vcpus_gets_no_cluster(cloud: AzureNative, job: int) -> None:
    from databricks.sdk import WorkspaceClient

    workspace = cloud.world.all(workspaces.TYPE)[0]
    client = WorkspaceClient(
        host=f"https://{workspace.outputs['workspaceUrl']}",
        azure_workspace_resource_id=workspace.id,
        auth_type="azure-cli",
    )
    enough = used_vcpus(cloud.world)["cores"] + 24  # the job's cluster: three nodes of 8
    cloud.world.set("vcpu_quota", {"cores": enough - 1})
    refused = client.jobs.run_now(job).run_id
    wait_until(lambda: "Total Regional Cores quota" in str(client.jobs.get_run(refused).state))
    cloud.world.set("vcpu_quota", {"cores": enough})
    run = client.jobs.run_now(job).result(timeout=timedelta(seconds=30))
    cloud.world.set("vcpu_quota", {})
    assert run.state is not None
    assert str(run.state.result_state) == "RunResultState.SUCCESS"
    wait_until(lambda: cloud.world.setting("run_vcpus") == {})


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
