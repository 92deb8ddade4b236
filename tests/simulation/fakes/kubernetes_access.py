"""What AKS adds to its API server: whose a token is, and what that user may do.

The latter is Azure RBAC for Kubernetes: role assignments on the cluster decide, once they have propagated.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.outside import api_server_heard
from tests.simulation.fakes.service import application
from tests.simulation.refusal import RefusedError
from tests.simulation.services.authorization import effective_roles
from tests.simulation.services.pools import CLUSTER_TYPE
from tests.simulation.tokens import KUBERNETES, verify
from tests.simulation.world import World

CLUSTER_ADMIN = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"
"""Azure Kubernetes Service RBAC Cluster Admin: everything."""


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
        spec = review["spec"]
        roles: set[str] = set()
        for cluster in world.all(CLUSTER_TYPE):
            if api_server_heard(world, spec.get("user", ""), cluster):
                roles |= effective_roles(world, spec.get("user", ""), cluster.id)
        return JSONResponse({**review, "status": {"allowed": CLUSTER_ADMIN in roles}})

    routes = [
        Route("/authenticate", authenticate, methods=["POST"]),
        Route("/authorize", authorize, methods=["POST"]),
    ]
    return application(world, "kubernetes", routes, audience=None)
