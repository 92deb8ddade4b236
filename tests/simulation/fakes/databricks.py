"""Databricks' REST API as far as the product calls it: the current user, the metastore, runs of jobs.

The first call of `Me` with the headers of Azure's sign-in makes the caller an admin of the workspace, unless somebody
has added them. Databricks does so for principals with a role on the workspace in ARM.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.databricks import OWNER, is_admin, may_create_clusters, members
from tests.simulation.fakes.runs import Life, Run, Runs
from tests.simulation.fakes.service import application
from tests.simulation.services.catalogue import DATABRICKS as WORKSPACE
from tests.simulation.services.network import refuse_outside
from tests.simulation.tokens import DATABRICKS, MANAGEMENT, verify
from tests.simulation.world import Record, RefusedError, World, key_of

MANAGEMENT_HEADER = "x-databricks-azure-sp-management-token"
WORKSPACE_HEADER = "x-databricks-azure-workspace-resource-id"


class DatabricksApi:
    """The endpoints of all workspaces; the host identifies the workspace."""

    def __init__(self, world: World, runs: Runs) -> None:
        """Everything is read from `world`, but for the jobs' runs."""
        self._world = world
        self._runs = runs

    async def metadata(self, request: Request) -> Response:
        """What the SDK looks up about a host before anything else."""
        workspace = _workspace_of(self._world, request)
        host = workspace.outputs["workspaceUrl"]
        identity = workspace.outputs["workspaceId"]
        return JSONResponse({"oidc_endpoint": f"https://{host}/oidc", "workspace_id": identity, "cloud": "Azure"})

    async def me(self, request: Request) -> Response:
        """The caller; the first call makes them a member."""
        workspace = _workspace_of(self._world, request)
        refuse_outside(self._world, request.state.caller, workspace, "databricks_ui_api")
        caller = request.state.caller
        if caller not in members(self._world, workspace):
            _refuse_stranger(self._world, request, workspace)
            signed_in = dict(self._world.setting("members"))
            signed_in.setdefault(workspace.outputs["workspaceId"], []).append(caller)
            self._world.set("members", signed_in)
        groups = [{"display": "users"}, *([{"display": "admins"}] if is_admin(self._world, workspace, caller) else [])]
        return JSONResponse({"id": "1", "userName": caller, "active": True, "groups": groups})

    async def metastore(self, request: Request) -> Response:
        """The metastore of the workspace's region."""
        workspace = _member(self._world, request)
        if not self._world.setting("metastore"):
            raise RefusedError(404, "METASTORE_DOES_NOT_EXIST", "No metastore assigned for the current workspace.")
        late = int(self._world.setting("metastore_late"))
        if late > 0:
            self._world.set("metastore_late", late - 1)
            raise RefusedError(404, "METASTORE_DOES_NOT_EXIST", "No metastore assigned for the current workspace.")
        number = int(workspace.outputs["workspaceId"])
        return JSONResponse({"metastore_id": "m-1", "workspace_id": number, "default_catalog_name": "main"})

    async def metastore_owner(self, request: Request) -> Response:
        """The metastore's owner: Databricks itself if it created the metastore."""
        _member(self._world, request)
        return JSONResponse({"metastore_id": "m-1", "owner": "System user"})

    async def privileges(self, request: Request) -> Response:
        """Privileges in the metastore, on two pages, of which the first is empty."""
        workspace = _member(self._world, request)
        if self._world.setting("admin_privileges") is None:
            raise RefusedError(403, "PERMISSION_DENIED", "User is not an owner of Metastore 'm-1'.")
        if not request.query_params.get("page_token"):
            return JSONResponse({"privilege_assignments": [], "next_page_token": "2"})
        principal = f"_workspace_admins_dev_{workspace.outputs['workspaceId']}"
        given = [{"privilege": name} for name in self._world.setting("admin_privileges")]
        return JSONResponse({"privilege_assignments": [{"principal": principal, "privileges": given}]})

    async def run_now(self, request: Request) -> Response:
        workspace = _member(self._world, request)
        body: dict[str, Any] = await request.json()
        job = self._world.get(f"{workspace.id}/jobs/{body['job_id']}")
        if job is None:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"Job {body['job_id']} does not exist.")
        runs_as = _principal(job)
        if not may_create_clusters(self._world, workspace, runs_as):
            raise RefusedError(403, "PERMISSION_DENIED", f"{runs_as} is not authorized to create clusters.")
        token = body.get("idempotency_token")
        forced = "" if self._runs.known(token) else self._world.take("run_outcomes")
        parameters = {name: str(value) for name, value in (body.get("job_parameters") or {}).items()}
        run = self._runs.start(
            str(body["job_id"]),
            inputs=job.inputs,
            parameters=parameters,
            caller=runs_as,
            token=token,
            forced=forced,
        )
        return JSONResponse({"run_id": run.number, "number_in_job": run.number})

    async def get_run(self, request: Request) -> Response:
        workspace = _member(self._world, request)
        return JSONResponse(_shown(_run(self._runs, request.query_params.get("run_id")), workspace))

    async def list_runs(self, request: Request) -> Response:
        """The runs of a job or of the workspace, newest first."""
        workspace = _member(self._world, request)
        found = [_shown(run, workspace) for run in self._runs.of(request.query_params.get("job_id"))]
        return JSONResponse({"runs": found, "has_more": False})

    async def get_output(self, request: Request) -> Response:
        """What a task printed, and its error."""
        _member(self._world, request)
        run = _run(self._runs, request.query_params.get("run_id"))
        body: dict[str, Any] = {"logs": run.output, "metadata": {"run_id": run.number}}
        return JSONResponse(body | ({"error": run.error, "error_trace": run.error} if run.error else {}))

    async def cancel(self, request: Request) -> Response:
        _member(self._world, request)
        _run(self._runs, str((await request.json())["run_id"])).cancelled.set()
        return JSONResponse({})


def databricks_api(world: World, runs: Runs) -> Starlette:
    """The API of all workspaces."""
    api = DatabricksApi(world, runs)
    routes = [
        Route("/.well-known/databricks-config", api.metadata),
        Route("/api/2.0/preview/scim/v2/Me", api.me),
        Route("/api/2.1/unity-catalog/current-metastore-assignment", api.metastore),
        Route("/api/2.1/unity-catalog/metastore_summary", api.metastore_owner),
        Route("/api/2.1/unity-catalog/effective-permissions/{kind}/m-1", api.privileges),
        Route("/api/2.2/jobs/run-now", api.run_now, methods=["POST"]),
        Route("/api/2.2/jobs/runs/get", api.get_run),
        Route("/api/2.2/jobs/runs/list", api.list_runs),
        Route("/api/2.2/jobs/runs/get-output", api.get_output),
        Route("/api/2.2/jobs/runs/cancel", api.cancel, methods=["POST"]),
    ]
    return application(world, "databricks", routes, audience=DATABRICKS, public=["/.well-known/"])


def _refuse_stranger(world: World, request: Request, workspace: Record) -> None:
    deployers = {entry["object_id"]: entry["type"] for entry in world.setting("deployers")}
    kind = deployers.get(request.state.caller)
    named = key_of(request.headers.get(WORKSPACE_HEADER, "")) == key_of(workspace.id)
    signed = kind != "ServicePrincipal"
    if not signed and (token := request.headers.get(MANAGEMENT_HEADER)):
        signed = verify(world, f"Bearer {token}", MANAGEMENT) == request.state.caller
    if kind is None or not named or not signed:
        message = (
            "This API is disabled for users without the workspace-access entitlement, or the sign-in lacks headers."
        )
        raise RefusedError(403, "PERMISSION_DENIED", message)


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


def _workspace_of(world: World, request: Request) -> Record:
    """The workspace at the request's host; raises `RefusedError` if there is none."""
    host = request.headers["host"].partition(":")[0]
    for record in world.all(WORKSPACE):
        if record.outputs["workspaceUrl"] == host and not record.deleting:
            return record
    raise RefusedError(404, "NOT_FOUND", f"There is no workspace at {host}.")


def _member(world: World, request: Request) -> Record:
    """The same, for a member of it; raises `RefusedError` for anybody else."""
    workspace = _workspace_of(world, request)
    refuse_outside(world, request.state.caller, workspace, "databricks_ui_api")
    if request.state.caller not in members(world, workspace):
        raise RefusedError(403, "PERMISSION_DENIED", "User is not a member of this workspace.")
    return workspace
