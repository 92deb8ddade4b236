"""The workspace that a request to Databricks is for, and who may ask there."""

from starlette.requests import Request

from tests.simulation.fakes.outside import refuse_outside
from tests.simulation.refusal import RefusedError
from tests.simulation.services import databricks as workspaces
from tests.simulation.world import Record, World, key_of


def of_kind(world: World, workspace: Record, collection: str) -> list[tuple[str, Record]]:
    """A workspace's objects of a type, with the ids that Databricks assigned."""
    prefix = key_of(f"{workspace.id}/{collection}/")
    return [(item.id.rpartition("/")[2], item) for item in world.all() if key_of(item.id).startswith(prefix + "/")]


def workspace_of(world: World, request: Request) -> Record:
    """The workspace at the request's host; raises `RefusedError` if there is none."""
    host = request.headers["host"].partition(":")[0]
    for record in world.all(workspaces.TYPE):
        if record.outputs["workspaceUrl"] == host and not record.deleting:
            return record
    raise RefusedError(404, "NOT_FOUND", f"There is no workspace at {host}.")


def member(world: World, request: Request) -> Record:
    """The same, for a member of it; raises `RefusedError` for anybody else."""
    workspace = workspace_of(world, request)
    refuse_outside(world, request.state.caller, workspace, "databricks_ui_api")
    if request.state.caller not in world.setting("members").get(workspace.outputs["workspaceId"], []):
        raise RefusedError(403, "PERMISSION_DENIED", "User is not a member of this workspace.")
    return workspace
