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

WRITER = "a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb"
"""Azure Kubernetes Service RBAC Writer: objects in namespaces, neither roles nor the cluster's own objects."""

READING = frozenset({"get", "list", "watch"})


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
        allowed = CLUSTER_ADMIN in roles or (WRITER in roles and _in_namespace(spec))
        return JSONResponse({**review, "status": {"allowed": allowed}})

    routes = [
        Route("/authenticate", authenticate, methods=["POST"]),
        Route("/authorize", authorize, methods=["POST"]),
    ]
    return application(world, "kubernetes", routes, audience=None)


def _in_namespace(spec: dict[str, Any]) -> bool:
    resource = spec.get("resourceAttributes") or {}
    return bool(resource.get("namespace")) or resource.get("verb") in READING
