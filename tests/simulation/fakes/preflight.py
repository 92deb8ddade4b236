"""What a preflight asks Resource Manager before anything is created: providers, names, roles."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.published import KUBERNETES
from tests.simulation.refusal import RefusedError
from tests.simulation.services import authorization
from tests.simulation.world import World, key_of

SUBSCRIPTION = "/subscriptions/{subscription}"
VERSIONS = "/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions"
POLICIES = {"quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"}
CHECKED_NAMES: Mapping[str, str] = {
    "microsoft.storage": "azure-native:storage:StorageAccount",
    "microsoft.containerregistry": "azure-native:containerregistry:Registry",
    "microsoft.keyvault": "azure-native:keyvault:Vault",
}


class Preflight:
    """The endpoints."""

    def __init__(self, world: World) -> None:
        """Answers from the record."""
        self._world = world

    def routes(self) -> list[Route]:
        """The routes."""
        roles = "/{scope:path}/providers/Microsoft.Authorization/roleAssignments"
        return [
            Route(SUBSCRIPTION, self.subscription, methods=["GET"]),
            Route(SUBSCRIPTION + "/providers/{namespace}", self.provider, methods=["GET"]),
            Route(SUBSCRIPTION + "/providers/{namespace}/register", self.register, methods=["POST"]),
            Route(SUBSCRIPTION + "/providers/{namespace}/checkNameAvailability", self.name, methods=["POST"]),
            Route(SUBSCRIPTION + VERSIONS, self.versions, methods=["GET"]),
            Route(roles, self.assignments, methods=["GET"]),
        ]

    async def subscription(self, request: Request) -> Response:
        """The only subscription."""
        wanted = request.path_params["subscription"]
        if wanted != self._world.setting("subscription"):
            raise RefusedError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
        tenant = self._world.setting("tenant")
        shown = {"id": request.url.path, "subscriptionId": wanted, "tenantId": tenant, "state": "Enabled"}
        return JSONResponse(shown | {"subscriptionPolicies": POLICIES})

    async def versions(self, _: Request) -> Response:
        """The Kubernetes versions that AKS offers."""
        values = [{"version": version, "isPreview": None} for version in sorted(KUBERNETES)]
        return JSONResponse({"values": values})

    async def provider(self, request: Request) -> Response:
        """Whether a resource provider is registered."""
        return JSONResponse(self._shown(request.path_params["namespace"]))

    async def register(self, request: Request) -> Response:
        """Register a resource provider."""
        namespace = request.path_params["namespace"]
        registered = self._world.setting("registered_providers")
        if registered is not None and namespace not in registered:
            self._world.set("registered_providers", [*registered, namespace])
        return JSONResponse(self._shown(namespace))

    async def name(self, request: Request) -> Response:
        """Whether a global name is free."""
        kind = CHECKED_NAMES[request.path_params["namespace"].lower()]
        taken = str((await request.json())["name"]).lower() in self._world.taken_names(kind)
        reason = "AlreadyExists" if taken else None
        return JSONResponse({"nameAvailable": not taken, "reason": reason, "message": reason})

    async def assignments(self, request: Request) -> Response:
        """Role assignments on a scope, above and below; deployers have the roles in the record."""
        scope = key_of(request.path_params["scope"])
        found: list[dict[str, Any]] = []
        for record in self._world.all(authorization.TYPE):
            own = key_of(str(record.inputs["scope"]))
            if f"{scope}/".startswith(f"{own}/") or own.startswith(f"{scope}/"):
                found.append({"id": record.id, "properties": record.inputs | {"scope": own}})
        subscription = f"/subscriptions/{self._world.setting('subscription')}"
        for entry in self._world.setting("deployers"):
            for role in self._world.setting("deployer_roles"):
                definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
                properties = {
                    "scope": subscription,
                    "principalId": entry["object_id"],
                    "principalType": entry["type"],
                    "roleDefinitionId": definition,
                }
                found.append({"id": f"{subscription}/given/{entry['object_id']}/{role}", "properties": properties})
        return JSONResponse({"value": found})

    def _shown(self, namespace: str) -> dict[str, Any]:
        registered = self._world.setting("registered_providers")
        known = registered is None or namespace.lower() in {name.lower() for name in registered}
        return {"namespace": namespace, "registrationState": "Registered" if known else "NotRegistered"}
