"""Databricks' REST API as far as the product calls it: the current user, the metastore, cluster policies.

The first call of `Me` with the headers of Azure's sign-in makes the caller a member of the workspace. Databricks does
so for principals with a role on the workspace in ARM.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.jobs_api import JobsApi
from tests.simulation.fakes.outside import refuse_outside
from tests.simulation.fakes.runs import Runs
from tests.simulation.fakes.service import application
from tests.simulation.fakes.workspaces import member, of_kind, workspace_of
from tests.simulation.refusal import RefusedError
from tests.simulation.tokens import DATABRICKS, MANAGEMENT, verify
from tests.simulation.world import Record, World, key_of

MANAGEMENT_HEADER = "x-databricks-azure-sp-management-token"
WORKSPACE_HEADER = "x-databricks-azure-workspace-resource-id"


class DatabricksApi:
    """The endpoints of all workspaces; the host identifies the workspace."""

    def __init__(self, world: World) -> None:
        """All of it is read from `world`."""
        self._world = world

    async def metadata(self, request: Request) -> Response:
        """What the SDK looks up about a host before anything else."""
        workspace = workspace_of(self._world, request)
        host = workspace.outputs["workspaceUrl"]
        identity = workspace.outputs["workspaceId"]
        return JSONResponse({"oidc_endpoint": f"https://{host}/oidc", "workspace_id": identity, "cloud": "Azure"})

    async def sign_in_page(self, _: Request) -> Response:
        """The SDK reads the tenant from the target of this redirect."""
        return RedirectResponse(
            f"https://login.microsoftonline.com/{self._world.setting('tenant')}/oauth2/authorize", 302
        )

    async def me(self, request: Request) -> Response:
        """The caller; the first call makes them a member."""
        workspace = workspace_of(self._world, request)
        refuse_outside(self._world, request.state.caller, workspace, "databricks_ui_api")
        members = dict(self._world.setting("members"))
        present = members.setdefault(workspace.outputs["workspaceId"], [])
        if request.state.caller not in present:
            _refuse_stranger(self._world, request, workspace)
            present.append(request.state.caller)
            self._world.set("members", members)
        groups = [{"display": "admins"}, {"display": "users"}]
        return JSONResponse({"id": "1", "userName": request.state.caller, "active": True, "groups": groups})

    async def metastore(self, request: Request) -> Response:
        """The metastore of the workspace's region."""
        workspace = member(self._world, request)
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
        member(self._world, request)
        return JSONResponse({"metastore_id": "m-1", "owner": "System user"})

    async def privileges(self, request: Request) -> Response:
        """Privileges in the metastore, on two pages, of which the first is empty."""
        workspace = member(self._world, request)
        if self._world.setting("admin_privileges") is None:
            raise RefusedError(403, "PERMISSION_DENIED", "User is not an owner of Metastore 'm-1'.")
        if not request.query_params.get("page_token"):
            return JSONResponse({"privilege_assignments": [], "next_page_token": "2"})
        principal = f"_workspace_admins_dev_{workspace.outputs['workspaceId']}"
        given = [{"privilege": name} for name in self._world.setting("admin_privileges")]
        return JSONResponse({"privilege_assignments": [{"principal": principal, "privileges": given}]})

    async def list_policies(self, request: Request) -> Response:
        """The cluster policies of the workspace."""
        found = of_kind(self._world, member(self._world, request), "policies")
        policies = [{"policy_id": identity, "name": item.inputs["name"]} for identity, item in found]
        return JSONResponse({"policies": policies})


def databricks_api(world: World, runs: Runs) -> Starlette:
    """The API of all workspaces."""
    api = DatabricksApi(world)
    routes = [
        Route("/.well-known/databricks-config", api.metadata),
        Route("/aad/auth", api.sign_in_page),
        Route("/api/2.0/preview/scim/v2/Me", api.me),
        Route("/api/2.1/unity-catalog/current-metastore-assignment", api.metastore),
        Route("/api/2.1/unity-catalog/metastore_summary", api.metastore_owner),
        Route("/api/2.1/unity-catalog/effective-permissions/{kind}/m-1", api.privileges),
        Route("/api/2.0/policies/clusters/list", api.list_policies),
        *JobsApi(world, runs).routes,
    ]
    return application(world, "databricks", routes, audience=DATABRICKS, public=["/aad/auth", "/.well-known/"])


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
