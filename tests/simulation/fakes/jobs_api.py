"""Databricks' Jobs API as far as the product calls it: jobs and their runs."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.databricks.cloud import OWNER
from tests.simulation.fakes.runs import Life, Run, Runs
from tests.simulation.fakes.workspaces import member, of_kind
from tests.simulation.refusal import RefusedError
from tests.simulation.world import Record, World

NOT_FOUND = "RESOURCE_DOES_NOT_EXIST"


class JobsApi:
    """The endpoints of all workspaces."""

    def __init__(self, world: World, runs: Runs) -> None:
        """Jobs are read from `world`; their runs are in `runs`."""
        self._world = world
        self._runs = runs

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/api/2.2/jobs/list", self.list_jobs),
            Route("/api/2.2/jobs/run-now", self.run_now, methods=["POST"]),
            Route("/api/2.2/jobs/runs/get", self.get_run),
            Route("/api/2.2/jobs/runs/list", self.list_runs),
            Route("/api/2.2/jobs/runs/get-output", self.get_output),
            Route("/api/2.2/jobs/runs/cancel", self.cancel, methods=["POST"]),
        ]

    async def run_now(self, request: Request) -> Response:
        """Begin a run of a job."""
        workspace = member(self._world, request)
        body: dict[str, Any] = await request.json()
        job = self._world.get(f"{workspace.id}/jobs/{body['job_id']}")
        if job is None:
            raise RefusedError(404, NOT_FOUND, f"Job {body['job_id']} does not exist.")
        token = body.get("idempotency_token")
        forced = "" if self._runs.known(token) else self._next_outcome()
        parameters = {name: str(value) for name, value in (body.get("job_parameters") or {}).items()}
        run = self._runs.start(
            str(body["job_id"]),
            inputs=job.inputs,
            parameters=parameters,
            caller=_principal(job),
            token=token,
            forced=forced,
        )
        return JSONResponse({"run_id": run.number, "number_in_job": run.number})

    def _next_outcome(self) -> str:
        """How the next run is to end, as the test ordered."""
        outcomes = list(self._world.setting("run_outcomes"))
        forced = outcomes.pop(0) if outcomes else ""
        self._world.set("run_outcomes", outcomes)
        return forced

    async def list_jobs(self, request: Request) -> Response:
        """The jobs of the workspace, or those with a name."""
        found = of_kind(self._world, member(self._world, request), "jobs")
        name = request.query_params.get("name")
        jobs = [{"job_id": int(identity)} for identity, item in found if name in {None, item.inputs["name"]}]
        return JSONResponse({"jobs": jobs, "has_more": False})

    async def get_run(self, request: Request) -> Response:
        """A run's current state."""
        workspace = member(self._world, request)
        return JSONResponse(_shown(_run(self._runs, request.query_params.get("run_id")), workspace))

    async def list_runs(self, request: Request) -> Response:
        """The runs of a job or of the workspace, newest first."""
        workspace = member(self._world, request)
        found = [_shown(run, workspace) for run in self._runs.of(request.query_params.get("job_id"))]
        return JSONResponse({"runs": found, "has_more": False})

    async def get_output(self, request: Request) -> Response:
        """What a task printed, and its error."""
        member(self._world, request)
        run = _run(self._runs, request.query_params.get("run_id"))
        body: dict[str, Any] = {"logs": run.output, "metadata": {"run_id": run.number}}
        return JSONResponse(body | ({"error": run.error, "error_trace": run.error} if run.error else {}))

    async def cancel(self, request: Request) -> Response:
        """Cancel a run."""
        member(self._world, request)
        _run(self._runs, str((await request.json())["run_id"])).cancelled.set()
        return JSONResponse({})


def _principal(job: Record) -> str:
    """Who a job runs as: the principal that it names, or its owner, whoever starts it."""
    named = (job.inputs.get("runAs") or {}).get("servicePrincipalName")
    return str(named or job.outputs[OWNER])


def _run(runs: Runs, number: str | None) -> Run:
    found = runs.get(int(number or 0))
    if found is None:
        raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Run {number} does not exist.")
    return found


def _shown(run: Run, workspace: Record) -> dict[str, Any]:
    state: dict[str, Any] = {"life_cycle_state": run.life.value, "state_message": run.message}
    if run.result:
        state["result_state"] = run.result
    task = (run.inputs.get("tasks") or [{}])[0]
    host = workspace.outputs["workspaceUrl"]
    return {
        "run_id": run.number,
        "run_name": str(run.inputs.get("name")),
        "job_id": int(run.job),
        "state": state,
        "start_time": int(run.started * 1000),
        "end_time": int(run.ended * 1000) if run.life in {Life.TERMINATED, Life.INTERNAL_ERROR} else 0,
        "run_page_url": f"https://{host}/?o={workspace.outputs['workspaceId']}#job/{run.job}/run/{run.number}",
        "tasks": [{"run_id": run.number + 1, "task_key": task.get("taskKey", "train"), "state": state}],
    }
