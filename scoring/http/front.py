"""Admits or rejects a worker's requests, passes those on that are to be scored, and answers the read-only routes: the
page, health, readiness, metrics and the OpenAPI document.

The key is checked first, so a request without one costs no more than this check.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httptools
import msgspec

from scoring.http.admission import AddressRates, Doorkeeper, Room
from scoring.http.batcher import Batcher
from scoring.http.openapi import describe_service
from scoring.http.request import REQUEST_ID, Request, require_json
from scoring.model.operations import OPERATIONS
from scoring.page import render
from scoring.request_errors import Headers, Refusal, Rejection, method_not_allowed
from scoring.responses import HealthAnswer, ReadyAnswer
from scoring.worker.service import Service

if TYPE_CHECKING:
    from scoring.http.connection import Connection

CHECKS = frozenset({b"/healthz", b"/readyz"})
"""Health checks. They are public, and one that reports a failure is neither counted nor logged."""

Found = tuple[bytes, Headers]
"""A body, and the headers in addition to those of every response, which says that it is JSON unless they do."""

BY_TARGET = {path.encode(): operation for path, operation in OPERATIONS.items()}

STRANGERS_TOGETHER = 5
"""Rate limit for requests without a key from all addresses together, as a multiple of one address's limit."""

BROWSER = b'Basic realm="scoring", charset="UTF-8"'
"""Challenge that makes a browser ask for a name and a password, which is the key."""


class Front:
    """The part of a worker that all its connections share."""

    def __init__(self, service: Service) -> None:
        """Must be created in the worker's process, inside its running event loop."""
        settings = service.settings
        self.settings = settings
        self.batcher = Batcher(service, self.record)
        self.room = Room(settings.max_bytes_waiting)
        self._service = service
        self._process, self._serial = token_hex(6).encode(), count(1)
        """Request IDs are made of these: unique across workers, since the number is drawn after the fork."""
        strangers = AddressRates(
            each=settings.address_requests, together=STRANGERS_TOGETHER * settings.address_requests
        )
        self._doorkeeper = Doorkeeper(service.keys, strangers, settings.key_requests)

    def request(self, where: "Connection", method: bytes, target: bytes, headers: Headers) -> Request:
        """Create a request from its head."""
        named = dict(headers)
        operation = BY_TARGET.get(target)
        path = target
        if operation is None:
            path = _path(target)
            operation = BY_TARGET.get(path)
        if operation is not None and operation.recommends and not self._service.recommends:
            operation = None
        request_id = named.get(b"x-request-id", b"").strip()
        if not (request_id and REQUEST_ID.fullmatch(request_id)):  # the client's ID if it is safe to log
            request_id = b"%b-%x" % (self._process, next(self._serial))
        request = Request(where, method, path, named, request_id)
        request.operation = operation
        return request

    def admit(self, caller: "Connection", request: Request) -> bool:
        """Raise `Rejection` if the body must not be read. Returns whether the client expects `100 Continue`."""
        headers = request.headers
        authorization = headers.get(b"authorization", b"")
        if request.operation is None:
            self._admit_look(caller, request, authorization)
            return False
        # A browser sends the password that it was given, for pages of others, too; it names these.
        from_page = authorization[:6].lower() == b"basic " and headers.get(b"sec-fetch-site") == b"same-origin"
        request.key = self._doorkeeper.require_key(caller, authorization, basic=from_page)
        self._doorkeeper.admit(caller, request.key)
        if request.method != b"POST":
            raise method_not_allowed(request.method, allowed="POST")
        if self.batcher.queue_of(request.operation).full():
            raise Refusal.OVERLOADED("The queue is full; try again later.")
        _ = self._service.model  # raises `NOT_READY` without one
        length = headers.get(b"content-length", b"")
        require_json(headers.get(b"content-type", b""), length, self.settings.max_body_bytes)
        return headers.get(b"expect", b"").strip().lower() == b"100-continue"

    def finish(self, request: Request) -> None:
        """Answer a request that is complete, or whose body is not needed."""
        if request.operation is None:
            asyncio.get_running_loop().call_soon(self._look, request)
        elif request.size:
            self.batcher.submit(request)
        else:
            self.refuse(request, Refusal.INVALID_JSON("The body is empty; send a JSON object."))

    def refuse(self, request: Request, rejection: Rejection) -> None:
        """Answer a request with a rejection, and record it."""
        request.reject(rejection)
        self.record(request, rejection.status)

    def record(self, request: Request, status: int) -> None:
        """Log a response, and count it.

        Requests without a key, and incomplete ones that got what they deserve, are no traffic: scanners send them.
        """
        operation, seconds = request.operation, request.seconds()
        name = "other" if operation is None else operation.name
        self._service.log(name, status, seconds, request.request_id)
        if request.key is not None:
            self._service.metrics.used(request.key.name)
            if seconds is not None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._service.metrics.answered(name, status, seconds)

    def _admit_look(self, caller: "Connection", request: Request, authorization: bytes) -> None:
        if authorization or not (caller.inside or request.path in CHECKS):
            request.key = self._doorkeeper.require_key(caller, authorization, challenge=BROWSER, basic=True)
            # A rollout asks often whether the service is ready and knows the key: a low limit must not keep it out.
            self._doorkeeper.admit(caller, request.key, limited=request.path not in CHECKS)
        elif not caller.inside:
            self._doorkeeper.count_stranger(caller)

    def _look(self, request: Request) -> None:
        """Answer a read-only route. Only errors are recorded, never health checks: they would fill log and metrics."""
        try:
            request.reply(HTTPStatus.OK, *_found(self._service, request))
        except Exception as error:  # noqa: BLE001 - also a mistake of ours must not leave a client without an answer
            rejection = self._service.rejection_of(error, request.request_id)
            request.reject(rejection)
            if request.path not in CHECKS:
                self.record(request, rejection.status)


def _path(target: bytes) -> bytes:
    """The path of a request target, without its query. The target may be a complete URL, as proxies send it."""
    if target.startswith(b"/"):
        return target.partition(b"?")[0]
    try:
        return httptools.parse_url(target).path or b""
    except httptools.HttpParserInvalidURLError:
        return b""


def _found(service: Service, request: Request) -> Found:
    route = ROUTES.get(unquote(request.path.decode("latin-1")))
    if route is None:
        raise Refusal.NOT_FOUND("This path does not exist; /openapi.json lists those that do.")
    if request.method not in {b"GET", b"HEAD"}:
        raise method_not_allowed(request.method, allowed="GET, HEAD")
    return route(service, request)


def _ready(service: Service, request: Request) -> Found:
    model = service.model
    answer = ReadyAnswer(
        status="ready",
        model=model.name,
        bundle_hash=model.bundle.hash,
        engine=service.settings.engine,
        # A wrong key was rejected before.
        key_accepted=True if b"authorization" in request.headers else msgspec.UNSET,
    )
    return msgspec.json.encode(answer), []


ROUTES: dict[str, Callable[[Service, Request], Found]] = {
    "/": lambda *_: render(),
    "/healthz": lambda *_: (msgspec.json.encode(HealthAnswer(status="running")), []),
    "/readyz": _ready,
    "/metrics": lambda service, _: (
        service.metrics.render(),
        [(b"content-type", service.metrics.content_type.encode())],
    ),
    "/openapi.json": lambda service, _: (
        msgspec.json.encode(describe_service(service.model, service.lookups.catalogue, service.settings.title)),
        [],
    ),
}
