"""The Databricks workspace, and the run of its training job."""

import re
from typing import TYPE_CHECKING

from azure_clients import credentials
from infra.cloud.training.training_job import REQUEST
from personalize.checks.subscription.free_names import DATABRICKS_VERSION, GROUP_VERSION
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage, StageFailedError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

WORKSPACES = "Microsoft.Databricks/workspaces"
RUN = re.compile(r"/runs?/(\d+)")


def _trained(bench: Bench) -> str:
    run = _last_run(bench)
    return f"the run took {(run.run_duration or run.execution_duration or 0) / 1000:.0f} s: {run.run_page_url}"


def workspace(bench: Bench) -> str:
    """The Resource Manager's path of the Databricks workspace."""
    return bench.subject.training(WORKSPACES, bench.names.databricks)


def _managed_group(bench: Bench) -> Seen:
    path = f"{bench.subject.subscription}/resourcegroups/{bench.names.databricks_group}"
    found = bench.manager.get(path, GROUP_VERSION) or {}
    owner = str(found.get("managedBy") or "")
    return Seen(holds=owner.lower() == workspace(bench).lower(), answer=f"managedBy {owner or 'nothing'}")


def _host(bench: Bench) -> Seen:
    url = str(bench.resource(workspace(bench), DATABRICKS_VERSION).get("workspaceUrl"))
    return Seen(holds="://" not in url and url.endswith(".net"), answer=f"workspaceUrl {url}")


def _metastore(bench: Bench) -> Seen:
    found = databricks(bench).metastores.current()
    return Seen(holds=bool(found.metastore_id), answer=f"metastore {found.metastore_id}")


def _run_again(bench: Bench) -> Seen:
    """Whether a request with the token of an ended run returns that run. The run trains nothing and is cancelled."""
    client, job = databricks(bench), _last_run(bench).job_id or 0
    token = f"verification {bench.names.token}"

    def ask() -> int:
        return int(client.jobs.run_now(job, job_parameters={REQUEST: "{}"}, idempotency_token=token).run_id)

    first = ask()
    client.jobs.cancel_run_and_wait(first)
    second = ask()
    if second != first:
        client.jobs.cancel_run(second)
    return Seen(holds=second == first, answer=f"run {first}, cancelled, was asked for again: answered {second}")


def _reports_success(bench: Bench) -> Seen:
    state = _last_run(bench).state
    life = state.life_cycle_state.value if state and state.life_cycle_state else None
    result = state.result_state.value if state and state.result_state else None
    return Seen(holds=(life, result) == ("TERMINATED", "SUCCESS"), answer=f"life cycle {life}, result {result}")


def _cluster_as_asked(bench: Bench) -> Seen:
    task = next(iter(_last_run(bench).tasks or ()), None)
    instance = task.cluster_instance.cluster_id if task and task.cluster_instance else None
    if instance is None:
        return Seen(holds=None, answer="the run names no cluster")
    found = databricks(bench).clusters.get(instance)
    asked = (bench.settings.training_vm_size, bench.settings.training_workers)
    answer = f"{found.node_type_id}, {found.num_workers or 0} workers, {found.spark_version}"
    return Seen(holds=(found.node_type_id, found.num_workers or 0) == asked, answer=answer)


def databricks(bench: Bench) -> "WorkspaceClient":
    """A client of the workspace. Raises `KeyError` if there is none."""
    path = workspace(bench)
    url = bench.resource(path, DATABRICKS_VERSION)["workspaceUrl"]
    return credentials.databricks(bench.settings.tenant, f"https://{url}", path)


def _last_run(bench: Bench) -> "Run":
    """The run that trained the model."""
    client = databricks(bench)
    address = str(bench.outputs().get("run") or "")
    number = RUN.search(address)
    if number is None:
        raise StageFailedError(f"The stack's output `run` is `{address}`, which names no run.")
    return client.jobs.get_run(int(number[1]))


TRAINING = Stage(
    name="training",
    title="Databricks, and the run of the training job",
    minutes="2 to 10",
    act=_trained,
    looks={
        "managed-group": _managed_group,
        "workspace-host": _host,
        "metastore": _metastore,
        "run-states": _reports_success,
        "cluster-as-asked": _cluster_as_asked,
        "run-token": _run_again,
    },
    changes=True,
)
