"""Container registries: ACR Tasks, tokens of a registry, and the tags of images.

A build unpacks its context and stores it under its digest. The unpacked folder is the image: `images/<digest>` in the
world's folder, from which a test can start it.
"""

import hashlib
import io
import re
import tarfile
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.service import application
from tests.simulation.published import BASE_IMAGES
from tests.simulation.services import catalogue
from tests.simulation.services.authorization import may
from tests.simulation.services.network import refuse_outside
from tests.simulation.tokens import MANAGEMENT, REGISTRY, issue, verify
from tests.simulation.world import RefusedError, World

HOST = "https://management.azure.com"
READERS = ("Contributor", "Owner")
"""Roles that may read a tag's times; no page says whether AcrPull may."""


@dataclass
class TaskRun:
    run: str
    registry: str
    images: list[str]
    status: str
    digest: str = ""
    pushed: str = ""
    log: list[str] = field(default_factory=list)


class TaskRuns:
    """The endpoints, and the runs behind them."""

    def __init__(self, world: World) -> None:
        """Contexts and images go into the world's folder."""
        self._world = world
        self._contexts: dict[str, bytes] = {}
        self._runs: dict[str, TaskRun] = {}

    async def upload_place(self, request: Request) -> Response:
        """Where to upload a context."""
        self._registry(request)
        place = f"tasks-source/{uuid.uuid4()}.tar.gz"
        return JSONResponse({"uploadUrl": f"{HOST}/upload/{place}?sig=simulated", "relativePath": place})

    async def upload(self, request: Request) -> Response:
        """Take a context; the URL itself is the permission, like a SAS."""
        self._contexts[request.path_params["place"]] = await request.body()
        return Response(status_code=201)

    async def schedule(self, request: Request) -> Response:
        """Build at once; the answer shows the run as queued, like Azure's."""
        registry = self._registry(request)
        if not self._world.setting("tasks_allowed"):
            # In Azure's words, as quoted in Azure-Samples/azure-search-openai-demo#2220.
            message = (
                f"ACR Tasks requests for the registry {registry} and {request.path_params['subscription']} are not "
                "permitted. Please file an Azure support request at http://aka.ms/azuresupport for assistance."
            )
            raise RefusedError(400, "TasksOperationsNotAllowed", message)
        body: dict[str, Any] = await request.json()
        context = self._contexts.get(str(body.get("sourceLocation")))
        if context is None:
            raise RefusedError(400, "InvalidSource", f"There is nothing at '{body.get('sourceLocation')}'.")
        run = TaskRun(f"cb{len(self._runs) + 1}", registry, list(body.get("imageNames") or []), "Queued")
        self._runs[run.run] = run
        shown = self._shown(run)
        self._build(run, context, str(body.get("dockerFilePath", "Dockerfile")))
        return JSONResponse(shown)

    async def list(self, request: Request) -> Response:
        """The runs of a registry, the newest first."""
        self._registry(request)
        return JSONResponse({"value": [self._shown(run) for run in reversed(self._runs.values())]})

    async def show(self, request: Request) -> Response:
        """A run's current state."""
        return JSONResponse(self._shown(self._run(request)))

    async def log_place(self, request: Request) -> Response:
        return JSONResponse({"logLink": f"{HOST}/logs/{self._run(request).run}?sig=simulated"})

    async def log(self, request: Request) -> Response:
        return PlainTextResponse("\n".join(self._run(request).log))

    def _build(self, run: TaskRun, context: bytes, dockerfile: str) -> None:
        forced = self._world.take("build_outcomes")
        with tarfile.open(fileobj=io.BytesIO(context)) as archive:
            names = sorted(archive.getnames())
            reason = "the test ordered it" if forced else problem(archive, dockerfile)
            if reason:
                run.status = "Failed"
                run.log = ["Step 1/9 : FROM base", f"failed to build: {reason}", f"Run ID: {run.run} failed"]
                return
        push(self._world, run, context)
        run.status = "Succeeded"
        run.log = [f"context: {len(names)} entries", f"pushed {run.images} as {run.digest}"]

    def _shown(self, run: TaskRun) -> dict[str, Any]:
        output = [
            {
                "registry": f"{run.registry}.azurecr.io",
                "repository": name.partition(":")[0],
                "tag": name.partition(":")[2],
                "digest": run.digest,
            }
            for name in run.images
        ]
        properties = {"runId": run.run, "status": run.status, "outputImages": output if run.digest else []}
        return {"id": run.run, "name": run.run, "properties": properties}

    def _registry(self, request: Request) -> str:
        identity = request.url.path.partition("/listBuildSource")[0].partition("/scheduleRun")[0].removesuffix("/runs")
        if self._world.get(identity) is None:
            raise RefusedError(404, "ResourceNotFound", f"The registry '{identity}' was not found.")
        return str(request.path_params["registry"])

    def _run(self, request: Request) -> TaskRun:
        run = self._runs.get(request.path_params["run"])
        if run is None:
            raise RefusedError(404, "RunNotFound", f"There is no run '{request.path_params['run']}'.")
        return run


def problem(archive: tarfile.TarFile, dockerfile: str) -> str:
    """Why a build fails: there is no recipe, or a base that it names by digest does not exist. In Docker's words."""
    recipe = next((member for member in archive if member.name.removeprefix("./") == dockerfile), None)
    content = archive.extractfile(recipe) if recipe else None
    if content is None:
        return f"unable to evaluate Dockerfile path '{dockerfile}'"
    bases = re.findall(r"^FROM (\S+)@(sha256:\S+)", content.read().decode(), re.MULTILINE)
    known = {(f"mcr.microsoft.com/{name}", digest) for digest, name in BASE_IMAGES.items()}
    missing = ["@".join(base) for base in bases if base not in known]
    return f"manifest for {missing[0]} not found: manifest unknown" if missing else ""


def push(world: World, run: TaskRun, context: bytes) -> None:
    """Store the packed `context` as the image of `run`, and set the run's digest."""
    with tarfile.open(fileobj=io.BytesIO(context)) as archive:
        parts = [member for member in archive.getmembers() if member.isfile()]
        digest = hashlib.sha256()
        for member in sorted(parts, key=lambda part: part.name):
            content = archive.extractfile(member)
            digest.update(member.name.encode() + b"\0" + (content.read() if content else b""))
        named = digest.hexdigest()
        run.digest, run.pushed = f"sha256:{named}", datetime.now(UTC).isoformat()
        archive.extractall(world.folder / "images" / named, filter="data")
    with world.transaction():
        world.set("images", {**world.setting("images"), run.digest: asdict(run)})


def registry(world: World) -> Starlette:
    """The endpoint for all `REGISTRY.azurecr.io`."""

    async def exchange(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        world.named(catalogue.REGISTRY, form.get("service", ""))
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
    found = world.named(catalogue.REGISTRY, request.headers["host"])
    caller = verify(world, request.headers["authorization"], REGISTRY)
    refuse_outside(world, caller, found, "registry")
    if not may(world, caller, found.id, *READERS):
        raise RefusedError(403, "DENIED", "requested access to the resource is denied")
    wanted = f"{request.path_params['name']}:{request.path_params['reference']}"
    for image in reversed(list(world.setting("images").values())):
        if image["registry"] == found.id.rpartition("/")[2] and wanted in image["images"]:
            return dict(image)
    raise RefusedError(404, "MANIFEST_UNKNOWN", f"manifest tagged by {wanted} is not found")
