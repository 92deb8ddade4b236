"""Who a caller is: Entra ID's token endpoint, and the webhooks with which AKS extends its API server.

A GitHub workflow exchanges its federated assertion for a token. In the cluster, role assignments on it decide what a
user may do (Azure RBAC for Kubernetes), once they have propagated.
"""

from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.service import application
from tests.simulation.services.authorization import IDENTITY, may
from tests.simulation.services.catalogue import CREDENTIAL
from tests.simulation.services.kubernetes import CLUSTER
from tests.simulation.services.network import api_server_heard
from tests.simulation.tokens import KUBERNETES, LIFETIME_SECONDS, issue, verify
from tests.simulation.world import RefusedError, World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLUSTER_ADMIN = "Azure Kubernetes Service RBAC Cluster Admin"
"""May do everything."""


def entra(world: World) -> Starlette:
    """The endpoint; client ids are looked up among the identities and in the record's `clients`."""

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        client = form.get("client_id", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise RefusedError(401, "AADSTS7000216", "A client assertion is required: there are no secrets here.")
        object_id = _object_id(world, client)
        if object_id is None:
            raise RefusedError(400, "AADSTS700016", f"Application '{client}' was not found in the directory.")
        text, ends = issue(world, object_id, form.get("scope", "").split()[0])
        lasts = {"expires_in": LIFETIME_SECONDS, "expires_on": str(ends)}
        return JSONResponse({"token_type": "Bearer", "access_token": text, **lasts})

    async def configuration(request: Request) -> Response:
        base = f"https://{request.url.netloc}/{request.path_params['tenant']}"  # TLS ends in the proxy in front of this
        paths = {
            "issuer": "v2.0",
            "token_endpoint": "oauth2/v2.0/token",
            "authorization_endpoint": "oauth2/v2.0/authorize",
            "jwks_uri": "discovery/v2.0/keys",
        }
        return JSONResponse({name: f"{base}/{path}" for name, path in paths.items()})

    async def instance(request: Request) -> Response:
        """The hosts of the directory, which Microsoft's Go client asks for first."""
        host = request.url.netloc
        discovery = f"https://{host}/{world.setting('tenant')}/v2.0/.well-known/openid-configuration"
        metadata = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}]
        return JSONResponse({"tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": metadata})

    routes = [
        Route("/common/discovery/instance", instance),
        Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", configuration),
    ]
    return application(world, "entra", routes, audience=None)


def _object_id(world: World, client: str) -> str | None:
    for record in world.all(IDENTITY):
        if record.outputs.get("clientId") == client:
            federated = [other for other in world.all(CREDENTIAL) if other.id.startswith(record.id + "/")]
            return str(record.outputs["principalId"]) if federated else None
    return dict(world.setting("clients")).get(client)


def kubernetes_access(world: World) -> Starlette:
    """The API server's two webhooks."""

    async def authenticate(request: Request) -> Response:
        review: dict[str, Any] = await request.json()
        status: dict[str, Any] = {"authenticated": False}
        try:
            caller = verify(world, f"Bearer {review['spec'].get('token', '')}", KUBERNETES)
            status = {"authenticated": True, "user": {"username": caller, "uid": caller}}
        except RefusedError as error:
            status["error"] = error.message
        return JSONResponse({**review, "status": status})

    async def authorize(request: Request) -> Response:
        review: dict[str, Any] = await request.json()
        user = review["spec"].get("user", "")
        allowed = any(
            api_server_heard(world, user, cluster) and may(world, user, cluster.id, CLUSTER_ADMIN)
            for cluster in world.all(CLUSTER)
        )
        return JSONResponse({**review, "status": {"allowed": allowed}})

    routes = [
        Route("/authenticate", authenticate, methods=["POST"]),
        Route("/authorize", authorize, methods=["POST"]),
    ]
    return application(world, "kubernetes", routes, audience=None)
