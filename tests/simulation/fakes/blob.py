"""The Blob endpoint of every account in the record: a real Azurite behind Azure's access rules.

Azurite stores the bytes and speaks the protocol. This checks that the caller has a role which has propagated, and that
the record has the account and the container. A container that was deleted and created again is empty.
"""

import os
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.simulation.fakes.service import application
from tests.simulation.processes import Process
from tests.simulation.services.authorization import may
from tests.simulation.services.catalogue import ACCOUNT
from tests.simulation.services.network import refuse_outside
from tests.simulation.tokens import STORAGE, issue
from tests.simulation.world import Record, RefusedError, World
from tests.support.ports import free_port
from tools import npm

WRITERS = ("Storage Blob Data Owner", "Storage Blob Data Contributor")
READERS = (*WRITERS, "Storage Blob Data Reader")
READING = frozenset({"GET", "HEAD"})
HOP_HEADERS = frozenset({"host", "authorization", "connection", "transfer-encoding", "keep-alive"})
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_CALLER = "simulation"
READY_SECONDS = 240.0
COPY_SOURCE = "x-ms-copy-source"


def azurite_command() -> list[str] | None:
    """The command that starts Azurite's Blob service; None if it is not installed."""
    return npm.command("azurite", "azurite/dist/src/blob/main.js")


class Azurite:
    """The real service on loopback, with TLS because bearer tokens require it."""

    def __init__(self, folder: Path, command: Sequence[str], authority: trustme.CA) -> None:
        """`command` starts Azurite's Blob service, which stores its data in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / "cert.pem", folder / "key.pem"
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        port = free_port()
        self.address = f"https://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
        self._context = ssl.create_default_context()
        authority.configure_trust(self._context)
        arguments = [
            *command,
            *("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent"),
            *("--cert", str(certificate), "--key", str(key), "--oauth", "basic"),
            *("--disableTelemetry", "--skipApiVersionCheck"),
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self._process = Process("azurite", arguments, folder / "azurite.log", environment)
        self._process.wait_until(self._answers, READY_SECONDS)

    def client(self) -> httpx.AsyncClient:
        """A client that trusts its certificate and connects directly."""
        return httpx.AsyncClient(verify=self._context, timeout=60.0, trust_env=False)

    def stop(self) -> None:
        """Stop it; the data remain."""
        self._process.stop()

    def _answers(self) -> bool:
        try:
            httpx.get(self.address, verify=self._context, trust_env=False)
        except httpx.TransportError:
            return False
        return True


def blob(world: World, azurite: Azurite) -> Starlette:
    """The endpoint for all `ACCOUNT.blob.core.windows.net`."""
    client = azurite.client()
    known: set[str] = set()

    async def forward(request: Request) -> Response:
        account = world.named(ACCOUNT, request.headers["host"])
        container, _, rest = request.url.path.removeprefix("/").partition("/")
        _refuse_access(world, request, account, container)
        inner = _inner_container(world, account, container) if container else ""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_HEADERS}
        headers["Authorization"] = f"Bearer {issue(world, AZURITE_CALLER, STORAGE)[0]}"
        if source := request.headers.get(COPY_SOURCE):
            headers[COPY_SOURCE] = _inner_address(world, azurite, source)
        if inner and inner not in known:
            version = {"Authorization": headers["Authorization"], "x-ms-version": "2024-08-04"}
            await client.put(f"{azurite.address}/{inner}", params={"restype": "container"}, headers=version)
            known.add(inner)
        raw = request.scope["raw_path"].decode("latin-1").partition("?")[0].removeprefix("/").partition("/")[2]
        url = "/".join([azurite.address, *([inner] if inner else []), *([raw] if rest else [])])
        query = request.url.query
        outgoing = client.build_request(
            request.method, f"{url}?{query}" if query else url, headers=headers, content=request.stream()
        )
        answer = await client.send(outgoing, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_HEADERS}
        return StreamingResponse(answer.aiter_raw(), status_code=answer.status_code, headers=kept)

    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    return application(world, "blob", [Route("/{path:path}", forward, methods=methods)], audience=STORAGE)


def _inner_address(world: World, azurite: Azurite, address: str) -> str:
    """Azurite's address for a client's `address`."""
    parts = urlsplit(address)
    container, _, rest = parts.path.removeprefix("/").partition("/")
    return f"{azurite.address}/{_inner_container(world, world.named(ACCOUNT, parts.netloc), container)}/{rest}"


def _refuse_access(world: World, request: Request, account: Record, container: str) -> None:
    refuse_outside(world, request.state.caller, account, "blob")
    scope = f"{account.id}/blobServices/default/containers/{container}" if container else account.id
    if not may(world, request.state.caller, scope, *(READERS if request.method in READING else WRITERS)):
        code = "AuthorizationPermissionMismatch"
        raise RefusedError(403, code, "This request is not authorized to perform this operation using this permission.")


def _inner_container(world: World, account: Record, container: str) -> str:
    """Azurite's container for one in the record, named after the time when that was created."""
    found = world.get(f"{account.id}/blobServices/default/containers/{container}")
    if found is None:
        raise RefusedError(404, "ContainerNotFound", f"The specified container '{container}' does not exist.")
    return re.sub(r"[^a-z0-9-]", "", f"c{int(found.created * 1000)}-{container}")[:63]
