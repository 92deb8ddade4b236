"""The container registries' token endpoint: a token of the Resource Manager for one of the registry."""

from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.service import application
from tests.simulation.refusal import RefusedError
from tests.simulation.tokens import MANAGEMENT, REGISTRY, issue, verify
from tests.simulation.world import World

TYPE = "azure-native:containerregistry:Registry"


def registry_login(world: World) -> Starlette:
    """The endpoint for all `REGISTRY.azurecr.io`."""

    async def exchange(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        name = form.get("service", "").partition(".")[0]
        if not any(record.id.endswith(f"/{name}") for record in world.all(TYPE)):
            raise RefusedError(404, "NAME_UNKNOWN", f"There is no registry '{name}'.")
        caller = verify(world, f"Bearer {form.get('access_token', '')}", MANAGEMENT)
        return JSONResponse({"refresh_token": issue(world, caller, REGISTRY)[0]})

    return application(world, "registry", [Route("/oauth2/exchange", exchange, methods=["POST"])], audience=None)
