"""Azure ML's assets: versions of models, of which only the tags can be changed."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.simulation.services.catalogue import default_container
from tests.simulation.world import Record, RefusedError, World

DEFAULT_DATASTORE = "workspaceblobstore"
IMMUTABLE = ("modelUri", "modelType")


async def assets(world: World, workspace: Record, request: Request) -> Response:
    """The versions of an asset, newest first."""
    prefix = _prefix(workspace, request)
    found = [value for key, value in _all(world).items() if key.startswith(prefix)]
    return JSONResponse({"value": found[::-1][: int(request.query_params.get("$top", len(found) or 1))]})


async def asset(world: World, workspace: Record, request: Request) -> Response:
    """Show one version, or create or change it."""
    key = _prefix(workspace, request) + request.path_params["version"]
    known = _all(world).get(key)
    if request.method == "GET":
        if known is None:
            raise RefusedError(404, "UserError", f"Resource '{key}' was not found.")
        return JSONResponse(known)
    body: dict[str, Any] = await request.json()
    properties = {**body.get("properties", {})}
    if known is not None:
        changed = [name for name in IMMUTABLE if known["properties"].get(name) != properties.get(name)]
        if changed:
            raise RefusedError(409, "UserError", f"The {changed[0]} of version '{key}' can't be changed.")
    properties.setdefault("flavors", {})
    shown = {
        "id": request.url.path,
        "name": request.path_params["version"],
        "type": f"Microsoft.MachineLearningServices/workspaces/{request.path_params['kind']}/versions",
        "properties": properties,
    }
    with world.transaction():
        world.set("ml_assets", {**_all(world), key: json.loads(json.dumps(shown))})
    return JSONResponse(shown, status_code=200 if known else 201)


async def datastore(world: World, workspace: Record, request: Request) -> Response:
    """The workspace's default datastore. It's identity-based: its users need a role on its account."""
    if request.path_params["name"] != DEFAULT_DATASTORE:
        raise RefusedError(404, "UserError", f"The datastore '{request.path_params['name']}' was not found.")
    account = world.get(str(workspace.inputs["storageAccount"]))
    if account is None:
        raise RefusedError(400, "UserError", "The default storage account of the workspace is gone.")
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": account.id.rpartition("/")[2],
        "containerName": default_container(str(workspace.outputs["workspaceId"])),
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentials": {"credentialsType": "None"},
        "isDefault": True,
    }
    return JSONResponse({"id": request.url.path, "name": DEFAULT_DATASTORE, "properties": properties})


def _all(world: World) -> dict[str, Any]:
    return dict(world.setting("ml_assets"))


def _prefix(workspace: Record, request: Request) -> str:
    """Assets belong to a workspace by its own id, not its name, which a later workspace may have."""
    kind, name = request.path_params["kind"], request.path_params["name"]
    return f"{workspace.outputs['workspaceId']}/{kind}/{name}/"
