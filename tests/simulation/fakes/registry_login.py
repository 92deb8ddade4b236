"""Container registries: exchange a Resource Manager token for a registry token, and look up the tags of images."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.outside import refuse_outside
from tests.simulation.fakes.service import application
from tests.simulation.refusal import RefusedError
from tests.simulation.services.authorization import may
from tests.simulation.tokens import MANAGEMENT, REGISTRY, issue, verify
from tests.simulation.world import Record, World

TYPE = "azure-native:containerregistry:Registry"
READERS = ("Contributor", "Owner")
"""Roles that may read a tag's times; no page says whether AcrPull may."""


def registry_login(world: World) -> Starlette:
    """The endpoint for all `REGISTRY.azurecr.io`."""

    async def exchange(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        _registry(world, form.get("service", ""))
        caller = verify(world, f"Bearer {form.get('access_token', '')}", MANAGEMENT)
        return JSONResponse({"refresh_token": issue(world, caller, REGISTRY)[0]})

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        caller = verify(world, f"Bearer {form.get('refresh_token', '')}", REGISTRY)
        return JSONResponse({"access_token": issue(world, caller, REGISTRY)[0]})

    async def tag(request: Request) -> Response:
        if unknown := _challenge(request):
            return unknown
        image = _image(world, request)
        times = {"createdTime": image["pushed"], "lastUpdateTime": image["pushed"]}
        allowed = dict.fromkeys(("deleteEnabled", "writeEnabled", "readEnabled", "listEnabled"), True)
        shown = {"name": request.path_params["reference"], "digest": image["digest"], "changeableAttributes": allowed}
        place = {"registry": request.headers["host"], "imageName": request.path_params["name"]}
        return JSONResponse({**place, "tag": {**shown, **times}})

    routes = [
        Route("/oauth2/exchange", exchange, methods=["POST"]),
        Route("/oauth2/token", token, methods=["POST"]),
        Route("/acr/v1/{name:path}/_tags/{reference}", tag, methods=["GET"]),
    ]
    return application(world, "registry", routes, audience=None)


def _challenge(request: Request) -> Response | None:
    """Tell callers without a token where to get one."""
    if "authorization" in request.headers:
        return None
    host, name = request.headers["host"], request.path_params["name"]
    scope = f'realm="https://{host}/oauth2/token",service="{host}",scope="repository:{name}:metadata_read"'
    return JSONResponse({"errors": [{"code": "UNAUTHORIZED"}]}, 401, {"WWW-Authenticate": f"Bearer {scope}"})


def _image(world: World, request: Request) -> dict[str, Any]:
    """The newest image with the name and tag in the path, if the caller may read it."""
    registry = _registry(world, request.headers["host"])
    caller = verify(world, request.headers["authorization"], REGISTRY)
    refuse_outside(world, caller, registry, "registry")
    if not may(world, caller, registry.id, *READERS):
        raise RefusedError(403, "DENIED", "requested access to the resource is denied")
    wanted = f"{request.path_params['name']}:{request.path_params['reference']}"
    for image in reversed(list(world.setting("images").values())):
        if image["registry"] == registry.id.rpartition("/")[2] and wanted in image["images"]:
            return dict(image)
    raise RefusedError(404, "MANIFEST_UNKNOWN", f"manifest tagged by {wanted} is not found")


def _registry(world: World, host: str) -> Record:
    name = host.partition(".")[0]
    found = next((record for record in world.all(TYPE) if record.id.endswith(f"/{name}")), None)
    if found is None:
        raise RefusedError(404, "NAME_UNKNOWN", f"There is no registry '{name}'.")
    return found
