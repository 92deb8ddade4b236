"""The canary run by itself: tries libraries, wheel, grants and machines without changing the stack.

It is the step of `up`, with inputs from the names of the resources on Azure. So it also works before there is a
cluster, for example if `up` failed at the canary.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from azure_clients.retries import USUAL, retried
from personalize.checks.subscription.free_names import DATABRICKS_VERSION, STORAGE_VERSION
from personalize.engine.interruption import run_interruptible
from personalize.verify.bench import Bench
from personalize.verify.stage import Look, Seen, Stage, StageFailedError
from personalize.verify.stages.storage import lake
from personalize.verify.stages.training import databricks, workspace
from steps.azure.canary_run import CanaryRun
from steps.descriptions.canary_run import AzureInputs
from steps.provider.step import Context
from steps.shared.volumes import volumes_of

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import BaseRun

LONGEST_MINUTES = 20
MILLISECONDS_PER_MINUTE = 60_000


def _run(bench: Bench) -> str:
    """Run the canary. An interruption cancels the run too."""
    context = Context(_once_each(bench))

    def interrupt() -> bool:
        context.cancelled.set()
        return True

    created = run_interruptible(lambda: CanaryRun().create(_inputs(bench, context), context), interrupt, bench.say)
    return f"a thousand rows became a model: {created.outputs.canary_url}"


def _inputs(bench: Bench, context: Context) -> AzureInputs:
    settings, names = bench.settings, bench.names
    url = bench.resource(workspace(bench), DATABRICKS_VERSION).get("workspaceUrl")
    endpoint = (bench.resource(lake(bench), STORAGE_VERSION).get("primaryEndpoints") or {}).get("blob")
    if not (url and endpoint):
        raise StageFailedError(
            f"Stack {bench.stack} has no Databricks workspace or no lake yet. "
            f"`.venv/bin/personalize up --stack {bench.stack}` creates them, and runs the canary "
            "before it creates the cluster."
        )
    return AzureInputs(
        stack=bench.stack,
        tenant=settings.tenant,
        subscription=settings.subscription,
        resource_group=names.training_group,
        workspace=names.machine_learning,
        blob_endpoint=endpoint,
        databricks_url=f"https://{url}",
        databricks_workspace_id=workspace(bench),
        job_id=_job(bench, context),
        volumes=volumes_of(names.catalog_object),
        fit=bench.fit,
        tried={"asked by": "personalize verify"},
    )


def _job(bench: Bench, context: Context) -> str:
    name = bench.names.canary_job
    found = retried("find the canary's job", lambda: list(databricks(bench).jobs.list(name=name)), context, USUAL)
    if not found:
        raise StageFailedError(
            f"The Databricks workspace has no job {name} yet. `.venv/bin/personalize up --stack {bench.stack}` "
            "creates it."
        )
    return str(found[0].job_id)


def _once_each(bench: Bench) -> Callable[[str], None]:
    """Prints a line of progress unless it is the same as the last one, since the run is polled every few seconds."""
    said = [""]

    def say(line: str) -> None:
        if line != said[-1]:
            said.append(line)
            bench.say(line)

    return say


def _last(look: "Callable[[BaseRun], Seen]") -> Look:
    """What `look` finds about the last run on a thousand rows."""

    def found(bench: Bench) -> Seen:
        client = databricks(bench)
        jobs = client.jobs.list(name=bench.names.canary_job)
        last = next((run for job in jobs for run in client.jobs.list_runs(job_id=job.job_id)), None)
        return look(last) if last else Seen(holds=None, answer=f"the job {bench.names.canary_job} has no run")

    return found


def _minutes(run: "BaseRun") -> Seen:
    """Its duration, including its cluster's start."""
    minutes = ((run.end_time or 0) - (run.start_time or 0)) / MILLISECONDS_PER_MINUTE
    return Seen(holds=0 < minutes <= LONGEST_MINUTES, answer=f"{minutes:.1f} minutes: {run.run_page_url}")


def _result(run: "BaseRun") -> Seen:
    """Its result: every machine has tried the volumes, and the libraries come from one of them."""
    result = run.state.result_state.value if run.state and run.state.result_state else "still running"
    return Seen(holds=result == "SUCCESS", answer=f"{result}: {run.run_page_url}")


CANARY = Stage(
    name="canary",
    title="a training run on a thousand rows, by itself",
    minutes="10 to 20",
    act=_run,
    looks={"canary-takes-minutes": _last(_minutes), "volumes-in-place": _last(_result)},
    trains=True,
)
