"""The container registries: a token of the Resource Manager for one of the registry, and the manifests of images."""

from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.registry_tasks import MANIFEST
from tests.simulation.fakes.service import application
from tests.simulation.refusal import RefusedError
from tests.simulation.services.authorization import effective_roles
from tests.simulation.tokens import MANAGEMENT, REGISTRY, issue, verify
from tests.simulation.world import Record, World

TYPE = "azure-native:containerregistry:Registry"
PULL = frozenset(
    {
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",  # AcrPull
        "8311e382-0749-4cb8-b61a-304f252e45ec",  # AcrPush
        "b24988ac-6180-42a0-ab88-20f7382dd24c",  # Contributor: in a registry, pulling is one of its actions
    }
)


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

    async def manifest(request: Request) -> Response:
        host, name = request.headers["host"], request.path_params["name"]
        if "authorization" not in request.headers:
            scope = f'realm="https://{host}/oauth2/token",service="{host}",scope="repository:{name}:pull"'
            return JSONResponse({"errors": [{"code": "UNAUTHORIZED"}]}, 401, {"WWW-Authenticate": f"Bearer {scope}"})
        registry = _registry(world, host)
        if not _roles(world, verify(world, request.headers["authorization"], REGISTRY), registry) & PULL:
            raise RefusedError(403, "DENIED", "requested access to the resource is denied")
        wanted = f"{name}:{request.path_params['reference']}"
        for image in reversed(list(world.setting("images").values())):
            if image["registry"] == registry.id.rpartition("/")[2] and wanted in image["images"]:
                headers = {"Docker-Content-Digest": image["digest"]}
                return Response(image["manifest"], headers=headers, media_type=str(MANIFEST["mediaType"]))
        raise RefusedError(404, "MANIFEST_UNKNOWN", f"manifest tagged by {wanted} is not found")

    routes = [
        Route("/oauth2/exchange", exchange, methods=["POST"]),
        Route("/oauth2/token", token, methods=["POST"]),
        Route("/v2/{name:path}/manifests/{reference}", manifest, methods=["GET"]),
    ]
    return application(world, "registry", routes, audience=None)


def _roles(world: World, caller: str, registry: Record) -> set[str]:
    """Those on the registry, and a deployer's on the subscription."""
    deployers = {entry["object_id"] for entry in world.setting("deployers")}
    above = set(world.setting("deployer_roles")) if caller in deployers else set()
    return effective_roles(world, caller, registry.id) | above


def _registry(world: World, host: str) -> Record:
    name = host.partition(".")[0]
    found = next((record for record in world.all(TYPE) if record.id.endswith(f"/{name}")), None)
    if found is None:
        raise RefusedError(404, "NAME_UNKNOWN", f"There is no registry '{name}'.")
    return found
