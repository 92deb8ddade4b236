"""Resource Manager over HTTP, for the product's own calls: what a preflight asks, what `bootstrap` creates, Azure ML,
ACR Tasks, AKS, look-ups.

What Azure ML receives is kept unchanged: a fake shows what is sent, not that Azure accepts it.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.cloud import PARAMETER, ResourceType
from tests.simulation.fakes.machine_learning import asset, assets, datastore
from tests.simulation.fakes.registry import TaskRuns
from tests.simulation.fakes.service import application
from tests.simulation.published import KUBERNETES
from tests.simulation.resource_manager import Arm
from tests.simulation.services.authorization import GIVERS, may
from tests.simulation.services.catalogue import TYPES
from tests.simulation.services.kubernetes import user_credentials
from tests.simulation.services.network import refuse_outside
from tests.simulation.tokens import MANAGEMENT
from tests.simulation.world import Record, RefusedError, World

SUBSCRIPTION_PATH = "/subscriptions/{subscription}"
GROUP_PATH = SUBSCRIPTION_PATH + "/resourceGroups/{group}"
WORKSPACE_PATH = GROUP_PATH + "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
REGISTRY_PATH = GROUP_PATH + "/providers/Microsoft.ContainerRegistry/registries/{registry}"
CLUSTER_PATH = GROUP_PATH + "/providers/Microsoft.ContainerService/managedClusters/{cluster}"
COMPUTE_PATH = SUBSCRIPTION_PATH + "/providers/Microsoft.Compute"
VERSIONS_PATH = SUBSCRIPTION_PATH + "/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions"
LOCK_OR_ROLE = re.compile(r".+/providers/(?P<kind>Microsoft\.Authorization/(locks|roleDefinitions))/[^/]+")
"""Locks, and roles of the subscription's own."""
Endpoint = Callable[[Request], Awaitable[Response]]
WRITERS = ("Contributor", "Owner")
"""Roles that may do everything except assigning roles; the others are named where they matter."""
LOCKERS = ("Owner", "User Access Administrator")
"""Roles with the actions on locks and on role definitions. Source: that of `GIVERS`."""
MODELS = (*WRITERS, "AzureML Data Scientist")
BUILDS = (*WRITERS, "Container Registry Tasks Contributor")
WHOLE = "azure-native:keyvault:"
"""Types whose `properties` azure-native keeps unchanged."""


SIZES = {
    "Standard_D2ds_v5": ("standardDDSv5Family", 2),
    "Standard_D4ds_v5": ("standardDDSv5Family", 4),
    "Standard_D8ds_v5": ("standardDDSv5Family", 8),
    "Standard_E4ds_v5": ("standardEDSv5Family", 4),
    "Standard_E8ds_v5": ("standardEDSv5Family", 8),
}
"""By VM size: its family and its vCPUs.

Source: learn.microsoft.com/azure/virtual-machines/sizes/general-purpose/ddsv5-series.
"""
ZONES = ["1", "2", "3"]
QUOTA = 100
ALL_FAMILIES = "cores"
"""The name of the quota for the vCPUs of all families in a region.

Source: learn.microsoft.com/rest/api/compute/usage/list, its example.
"""


def management(world: World) -> Starlette:
    """All endpoints; the caller must be a deployer or have a role on the resource."""
    tasks, preflight, resources = TaskRuns(world), Preflight(world), Resources(world)

    def of_models(answer: Callable[[World, Record, Request], Awaitable[Response]]) -> Endpoint:
        return _for(world, MODELS, _of_workspace(world, answer))

    def of_builds(endpoint: Endpoint) -> Endpoint:
        return _for(world, BUILDS, endpoint)

    namespace = SUBSCRIPTION_PATH + "/providers/{namespace}"
    routes = [
        Route(WORKSPACE_PATH + "/{kind}/{name}/versions", of_models(assets), methods=["GET"]),
        Route(WORKSPACE_PATH + "/datastores/{name}", of_models(datastore), methods=["GET"]),
        Route(WORKSPACE_PATH + "/{kind}/{name}/versions/{version}", of_models(asset), methods=["GET", "PUT"]),
        Route(REGISTRY_PATH + "/listBuildSourceUploadUrl", of_builds(tasks.upload_place), methods=["POST"]),
        Route(REGISTRY_PATH + "/scheduleRun", of_builds(tasks.schedule), methods=["POST"]),
        Route(REGISTRY_PATH + "/runs/{run}", of_builds(tasks.show), methods=["GET"]),
        Route(REGISTRY_PATH + "/runs/{run}/listLogSasUrl", of_builds(tasks.log_place), methods=["POST"]),
        Route("/upload/{place:path}", tasks.upload, methods=["PUT"]),
        Route("/logs/{run}", tasks.log, methods=["GET", "HEAD"]),
        Route(REGISTRY_PATH + "/runs", of_builds(tasks.list), methods=["GET"]),
        Route(CLUSTER_PATH + "/listClusterUserCredential", resources.user_credentials, methods=["POST"]),
        Route(CLUSTER_PATH + "/{action}", _for(world, WRITERS, resources.power), methods=["POST"]),
        Route(COMPUTE_PATH + "/skus", _skus),
        Route(COMPUTE_PATH + "/locations/{location}/usages", _usages),
        Route(SUBSCRIPTION_PATH, preflight.subscription, methods=["GET"]),
        Route(namespace, preflight.provider, methods=["GET"]),
        Route(namespace + "/register", preflight.register, methods=["POST"]),
        Route(VERSIONS_PATH, preflight.versions, methods=["GET"]),
        Route("/{path:path}", resources.put, methods=["PUT"]),
        Route("/{path:path}", resources.look_up, methods=["GET"]),
        Route("/{path:path}", resources.delete, methods=["DELETE"]),
    ]
    public = ["/upload/", "/logs/"]
    return application(world, "management", routes, audience=MANAGEMENT, public=public)


class Preflight:
    """What is asked before anything is created: subscription, providers, versions."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def subscription(self, request: Request) -> Response:
        """The only subscription."""
        wanted = request.path_params["subscription"]
        if wanted != self._world.setting("subscription"):
            raise RefusedError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
        tenant = self._world.setting("tenant")
        shown = {"id": request.url.path, "subscriptionId": wanted, "tenantId": tenant, "state": "Enabled"}
        return JSONResponse(shown)

    async def versions(self, _: Request) -> Response:
        """The Kubernetes versions that AKS offers."""
        values = [{"version": version, "isPreview": None} for version in sorted(KUBERNETES)]
        return JSONResponse({"values": values})

    async def provider(self, request: Request) -> Response:
        """Whether a resource provider is registered."""
        return JSONResponse(self._shown(request.path_params["namespace"]))

    async def register(self, request: Request) -> Response:
        namespace = request.path_params["namespace"]
        registered = self._world.setting("registered_providers")
        if registered is not None and namespace not in registered:
            self._world.set("registered_providers", [*registered, namespace])
        return JSONResponse(self._shown(namespace))

    def _shown(self, namespace: str) -> dict[str, Any]:
        registered = self._world.setting("registered_providers")
        known = registered is None or namespace.lower() in {name.lower() for name in registered}
        return {"namespace": namespace, "registrationState": "Registered" if known else "NotRegistered"}


class Resources:
    """Any resource by its id, under the same rules as the plugin's calls."""

    def __init__(self, world: World) -> None:
        """Creates in the record what it receives."""
        self._world = world
        self._arm = Arm(world)

    async def put(self, request: Request) -> Response:
        path, body = request.url.path, await request.json()
        if not may(self._world, request.state.caller, path, *_writers(path)):
            raise RefusedError(403, "AuthorizationFailed", f"'{request.state.caller}' may not write {path}.")
        old = self._world.get(path)
        if found := LOCK_OR_ROLE.fullmatch(path):
            record = Record(path, found["kind"], dict(body["properties"]), {}, time.time(), 0.0)
            with self._world.transaction():
                self._world.put(record)
        else:
            record = self._made(path, body, old)
        return JSONResponse(_body(record), 201 if old is None else 200)

    async def look_up(self, request: Request) -> Response:
        record = self._world.get(request.url.path)
        if record is None:
            raise RefusedError(404, "ResourceNotFound", f"The resource '{request.url.path}' was not found.")
        return JSONResponse(_body(record))

    async def delete(self, request: Request) -> Response:
        """Delete or purge a machine learning workspace: azure-native can't do the latter."""
        record = self._world.get(request.url.path)
        with self._world.transaction():
            if record is not None:
                self._world.remove(record.id)
            if request.query_params.get("forceToPurge") == "true":
                self._world.purge(request.url.path)
        return Response(status_code=200 if record is not None else 204)

    async def user_credentials(self, request: Request) -> Response:
        """A cluster's kubeconfig."""
        named = {"resourceGroupName": request.path_params["group"], "resourceName": request.path_params["cluster"]}
        return JSONResponse(user_credentials(self._world, named))

    async def power(self, request: Request) -> Response:
        """Stop or start a cluster."""
        identity, _, action = request.url.path.rpartition("/")
        with self._world.transaction():
            cluster = self._world.get(identity)
            if cluster is None:
                raise RefusedError(404, "ResourceNotFound", f"The cluster '{identity}' was not found.")
            state = {"powerState": {"code": {"stop": "Stopped", "start": "Running"}[action]}}
            self._world.put(replace(cluster, outputs=cluster.outputs | state))
        return Response(status_code=200)

    def _made(self, path: str, body: Mapping[str, Any], old: Record | None) -> Record:
        kind, named = _type_of(path)
        lifted = dict(body)
        if not kind.pulumi_type.startswith(WHOLE):
            lifted |= lifted.pop("properties", {})
        inputs = {**lifted, **named}
        if old is None or kind.singleton:
            return self._arm.create(kind.pulumi_type, inputs)
        return self._arm.update(kind.pulumi_type, path, inputs)


def _body(record: Record) -> dict[str, Any]:
    """A resource as Resource Manager shows it."""
    return {
        "id": record.id,
        "name": record.id.rpartition("/")[2],
        "location": record.inputs.get("location"),
        "properties": {**record.inputs, **record.outputs, "provisioningState": "Succeeded"},
    }


def _writers(path: str) -> tuple[str, ...]:
    """The roles that may write at a path."""
    if LOCK_OR_ROLE.fullmatch(path):
        return LOCKERS
    return GIVERS if "/roleAssignments/" in path else WRITERS


def _type_of(path: str) -> tuple[ResourceType, dict[str, str]]:
    """The type whose ids match `path`, and the inputs in it."""
    for kind in TYPES.values():
        if found := re.fullmatch(
            PARAMETER.sub(_group, re.escape(kind.path).replace(r"\{", "{").replace(r"\}", "}")), path
        ):
            return kind, {name: value for name, value in found.groupdict().items() if name != "subscription"}
    raise RefusedError(404, "InvalidResourceType", f"The simulation knows no type of resource at {path}.")


def _group(parameter: re.Match[str]) -> str:
    """A pattern for a part of a path; a scope is a path itself."""
    return f"(?P<{parameter[1]}>{'.+' if parameter[1] == 'scope' else '[^/]+'})"


def _for(world: World, roles: Sequence[str], endpoint: Endpoint) -> Endpoint:
    """The endpoint, for callers with one of these roles on its resource or above."""

    async def guarded(request: Request) -> Response:
        caller = request.state.caller
        if not may(world, caller, request.url.path, *roles):
            message = f"The client '{caller}' does not have authorization to call {request.url.path}."
            raise RefusedError(403, "AuthorizationFailed", message)
        return await endpoint(request)

    return guarded


def _of_workspace(world: World, answer: Callable[[World, Record, Request], Awaitable[Response]]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        identity = WORKSPACE_PATH.format_map(request.path_params)
        workspace = world.get(identity)
        if workspace is None:
            raise RefusedError(404, "ResourceNotFound", f"The workspace '{identity}' was not found.")
        refuse_outside(world, request.state.caller, workspace, "amlworkspace")
        return await answer(world, workspace, request)

    return endpoint


async def _skus(request: Request) -> Response:
    location = request.query_params.get("$filter", "location eq 'westeurope'").split("'")[1]
    value = [
        {
            "resourceType": "virtualMachines",
            "name": name,
            "family": family,
            "locations": [location],
            "locationInfo": [{"location": location, "zones": ZONES}],
            "capabilities": [{"name": "vCPUs", "value": str(vcpus)}],
            "restrictions": [],
        }
        for name, (family, vcpus) in SIZES.items()
    ]
    return JSONResponse({"value": value})


async def _usages(_: Request) -> Response:
    value = [
        {
            "name": {"value": family, "localizedValue": family},
            "currentValue": 0,
            "limit": 10 * QUOTA if family == ALL_FAMILIES else QUOTA,
            "unit": "Count",
        }
        for family in (*sorted({family for family, *_ in SIZES.values()}), ALL_FAMILIES)
    ]
    return JSONResponse({"value": value})
