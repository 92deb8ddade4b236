"""The first contact with Databricks: all of a stack but what costs by the hour, and one run on a thousand rows."""

from typing import TYPE_CHECKING

from azure_clients.retries import USUAL
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage, StageFailedError
from personalize.verify.stages.training import workspace_client

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import Run

COSTLY = ("azure:DataUpload", "azure:TrainingRun", "containerservice:ManagedCluster")
"""What `up` makes after the canary run; what depends on it is left out with it."""
LONGEST_MINUTES = 20
MILLISECONDS_PER_MINUTE = 60_000
JOIN = "join the Databricks workspace"


def _canary(bench: Bench) -> str:
    outcome = bench.operate(lambda session, on_step: session.up(on_step, without=COSTLY))
    return f"{outcome.changes.get('create', 0)} resources made, and a small model trained; there is no cluster yet."


def _minutes(bench: Bench) -> Seen:
    """How long the last run of the canary's job took, from its cluster's start on."""
    run = _last_run(bench)
    minutes = ((run.end_time or 0) - (run.start_time or 0)) / MILLISECONDS_PER_MINUTE
    return Seen(holds=0 < minutes <= LONGEST_MINUTES, answer=f"{minutes:.1f} minutes: {run.run_page_url}")


def _last_run(bench: Bench) -> "Run":
    client = workspace_client(bench)
    for job in client.jobs.list(name=bench.names.canary_job):
        for run in client.jobs.list_runs(job_id=job.job_id):
            return client.jobs.get_run(run.run_id or 0)
    raise StageFailedError(f"The job `{bench.names.canary_job}` has no run in the Databricks workspace.")


CANARY = Stage(
    name="canary",
    title="Databricks and the lake, by a model of a thousand rows, before there is a cluster",
    minutes="20 to 40",
    act=_canary,
    looks={
        "joining-takes-minutes": lambda bench: bench.waited(JOIN, within=USUAL.seconds),
        "canary-takes-minutes": _minutes,
    },
    changes=True,
)
