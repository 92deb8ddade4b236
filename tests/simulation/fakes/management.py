"""Resource Manager over HTTP, for the product's own calls: Azure ML, ACR Tasks, AKS, look-ups.

What Azure ML receives is kept unchanged: a fake shows what is sent, not that Azure accepts it.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.machine_learning import asset, assets, container, datastore
from tests.simulation.fakes.outside import refuse_outside
from tests.simulation.fakes.preflight import Preflight
from tests.simulation.fakes.registry_tasks import TaskRuns
from tests.simulation.fakes.resources import Put
from tests.simulation.fakes.service import application
from tests.simulation.refusal import RefusedError
from tests.simulation.services import machine_learning
from tests.simulation.services.authorization import may
from tests.simulation.services.catalogue import FUNCTIONS, USER_CREDENTIALS
from tests.simulation.services.pools import CLUSTER_TYPE
from tests.simulation.services.sizes import ALL_FAMILIES, ALL_ZONES, QUOTA, SIZES
from tests.simulation.tokens import MANAGEMENT
from tests.simulation.world import Record, World

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
WORKSPACE = GROUP + "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
REGISTRY = GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registry}"
CLUSTER = GROUP + "/providers/Microsoft.ContainerService/managedClusters/{cluster}"
COMPUTE = "/subscriptions/{subscription}/providers/Microsoft.Compute"
Endpoint = Callable[[Request], Awaitable[Response]]
ALL = ("Contributor", "Owner")
"""Roles that may do everything except assigning roles; the others are named where they matter."""
MODELS = (*ALL, "AzureML Data Scientist")
BUILDS = (*ALL, "Container Registry Tasks Contributor")


def management(world: World) -> Starlette:
    """All endpoints; the caller must be a deployer or have a role on the resource."""
    tasks = TaskRuns(world)

    def of_models(answer: Callable[[World, Record, Request], Awaitable[Response]]) -> Endpoint:
        return _for(world, MODELS, _of_workspace(world, answer))

    def of_builds(endpoint: Endpoint) -> Endpoint:
        return _for(world, BUILDS, endpoint)

    routes = [
        Route(WORKSPACE + "/{kind}/{name}/versions", of_models(assets), methods=["GET"]),
        Route(WORKSPACE + "/datastores/{name}", of_models(datastore), methods=["GET"]),
        Route(WORKSPACE + "/{kind}/{name}", of_models(container), methods=["GET"]),
        Route(WORKSPACE + "/{kind}/{name}/versions/{version}", of_models(asset), methods=["GET", "PUT"]),
        Route(REGISTRY + "/listBuildSourceUploadUrl", of_builds(tasks.upload_place), methods=["POST"]),
        Route(REGISTRY + "/scheduleRun", of_builds(tasks.schedule), methods=["POST"]),
        Route(REGISTRY + "/runs/{run}", of_builds(tasks.show), methods=["GET"]),
        Route(REGISTRY + "/runs/{run}/cancel", of_builds(tasks.cancel), methods=["POST"]),
        Route(REGISTRY + "/runs/{run}/listLogSasUrl", of_builds(tasks.log_place), methods=["POST"]),
        Route("/upload/{place:path}", tasks.upload, methods=["PUT"]),
        Route("/logs/{run}", tasks.log, methods=["GET", "HEAD"]),
        Route(REGISTRY + "/runs", of_builds(tasks.list), methods=["GET"]),
        Route(CLUSTER + "/listClusterUserCredential", _user_credentials(world), methods=["POST"]),
        Route(CLUSTER + "/stop", _for(world, ALL, _power(world, "Stopped")), methods=["POST"]),
        Route(CLUSTER + "/start", _for(world, ALL, _power(world, "Running")), methods=["POST"]),
        Route(COMPUTE + "/skus", _skus),
        Route(COMPUTE + "/locations/{location}/usages", _usages),
        *Preflight(world).routes(),
        Route("/{path:path}", Put(world).__call__, methods=["PUT"]),
        Route("/{path:path}", _resource(world), methods=["GET", "DELETE"]),
    ]
    public = ["/upload/", "/logs/"]
    return application(world, "management", routes, audience=MANAGEMENT, public=public)


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
        identity = WORKSPACE.format_map(request.path_params)
        workspace = world.get(identity)
        if workspace is None:
            raise RefusedError(404, "ResourceNotFound", f"The workspace '{identity}' was not found.")
        refuse_outside(world, request.state.caller, workspace, "amlworkspace")
        return await answer(world, workspace, request)

    return endpoint


def _power(world: World, code: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        identity = request.url.path.rpartition("/")[0]
        with world.transaction():
            cluster = world.get(identity)
            if cluster is None:
                raise RefusedError(404, "ResourceNotFound", f"The cluster '{identity}' was not found.")
            world.put(replace(cluster, outputs=cluster.outputs | {"powerState": {"code": code}}))
        return Response(status_code=200)

    return endpoint


def _user_credentials(world: World) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        named = {"resourceGroupName": request.path_params["group"], "resourceName": request.path_params["cluster"]}
        return JSONResponse(dict(FUNCTIONS[USER_CREDENTIALS](world, named)))

    return endpoint


async def _skus(request: Request) -> Response:
    location = request.query_params.get("$filter", "location eq 'westeurope'").split("'")[1]
    value = [
        {
            "resourceType": "virtualMachines",
            "name": name,
            "family": size.family,
            "locations": [location],
            "locationInfo": [{"location": location, "zones": sorted(size.zones)}],
            "capabilities": [
                {"name": "vCPUs", "value": str(size.vcpus)},
                {"name": "EphemeralOSDiskSupported", "value": str(size.local_gib > 0)},
                {"name": "MaxResourceVolumeMB", "value": str(size.local_gib * 1024)},
            ],
            "restrictions": [],
        }
        for name, size in SIZES.items()
    ]
    return JSONResponse({"value": value, "zones": sorted(ALL_ZONES)})


async def _usages(_: Request) -> Response:
    value = [
        {
            "name": {"value": family, "localizedValue": family},
            "currentValue": 0,
            "limit": 10 * QUOTA if family == ALL_FAMILIES else QUOTA,
            "unit": "Count",
        }
        for family in (*sorted({size.family for size in SIZES.values()}), ALL_FAMILIES)
    ]
    return JSONResponse({"value": value})


def _resource(world: World) -> Endpoint:
    """Look up any resource by id; purge a machine learning workspace, which azure-native can't do."""

    async def endpoint(request: Request) -> Response:
        record = world.get(request.url.path)
        if request.method == "DELETE":
            return _purge(world, request, record)
        if record is None:
            raise RefusedError(404, "ResourceNotFound", f"The resource '{request.url.path}' was not found.")
        body = {"id": record.id, "name": record.id.rpartition("/")[2], "properties": _properties(record)}
        return JSONResponse(json.loads(json.dumps(body | {"location": record.inputs.get("location")})))

    return endpoint


def _properties(record: Record) -> dict[str, Any]:
    return {**record.inputs, **record.outputs, "provisioningState": "Succeeded"}


def _purge(world: World, request: Request, record: Record | None) -> Response:
    if record is not None and record.type not in {machine_learning.TYPE, CLUSTER_TYPE}:
        raise RefusedError(400, "NotSupported", f"The simulation deletes no {record.type} by HTTP.")
    with world.transaction():
        if record is not None:
            world.remove(record.id)
        if request.query_params.get("forceToPurge") == "true":
            world.purge(request.url.path)
        elif record is not None:
            world.bury(record.id, record.type, 14)
    return Response(status_code=200 if record is not None else 204)
