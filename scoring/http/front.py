"""The HTTP front: lets requests for scores in to the batcher, and leaves everything else to Starlette.

A connection hands ordinary requests over without ASGI, whose task and messages would cost as much as the score; the
others (sent ahead of an answer, in HTTP/1.0, with `expect`) come through the ASGI application here.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from scoring.exchange import DisconnectedError, Exchange, Head, Headers, Message, Receive, Scope, Send, Writer
from scoring.http.batcher import Batcher
from scoring.http.routes import CHECKS, fail, refuse, routes
from scoring.model.operations import OPERATIONS, Operation
from scoring.request_errors import MethodNotAllowed, Rejection, Unauthorized
from scoring.worker.service import Service

if TYPE_CHECKING:
    from scoring.worker.tracing import Tracing  # brings OpenTelemetry, which only an image that traces has


class Front:
    """The ASGI application, and what the connections share."""

    def __init__(self, service: Service, tracing: "Tracing | None" = None) -> None:
        self._service = service
        self.tracing = tracing
        self.settings = service.settings
        self.batcher = Batcher(service)
        self.writer = Writer()
        self._rest = Starlette(
            routes=routes(service), lifespan=self._lifespan, exception_handlers={HTTPException: refuse, Exception: fail}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of ASGI."""
        if scope["type"] == "http" and (operation := OPERATIONS.get(scope["path"])) is not None:
            exchange = Exchange(scope, receive, send)
            if self.tracing is None:
                await self._operate(exchange, scope, operation)
            else:
                await self._trace(self.tracing, exchange, scope, operation)
        elif scope["type"] == "http":
            await self._look(Exchange(scope, receive, send), scope)
        else:
            await self._rest(scope, receive, send)

    def admit(self, head: Head) -> None:
        """Raise a `Rejection` unless a request with this head may send its body."""
        if not self._service.keys.accepts(head.authorization):
            raise Unauthorized("Send a valid key as `authorization: Bearer KEY`.")
        _ = self._service.model  # there must be one
        head.announce_json(self.settings.max_body_bytes)

    def refused(self, path: str, status: int, request_id: bytes) -> None:
        """Count and log a request that was refused before its body was read."""
        name = OPERATIONS[path].name if path in OPERATIONS else "other"
        self._service.record(name, status, 0.0, request_id)

    async def _operate(self, exchange: Exchange, scope: Scope, operation: Operation) -> None:
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], allowed="POST")
            self.admit(exchange)
            body = await exchange.read(limit=self.settings.max_body_bytes)
        except Rejection as rejection:
            self.refused(scope["path"], rejection.status, exchange.request_id)
            await exchange.answer(rejection.status, rejection.body(), rejection.headers())
        except DisconnectedError:
            return
        else:
            request = _Awaited(operation, body, exchange.request_id)
            self.batcher.submit(request)
            await exchange.answer(*await request.answer)

    async def _trace(self, tracing: "Tracing", exchange: Exchange, scope: Scope, operation: Operation) -> None:
        trace, began = tracing.begin(scope["headers"]), time.perf_counter()
        await self._operate(exchange, scope, operation)
        if trace is not None and exchange.status:
            tracing.end(trace, operation.name, exchange.status, time.perf_counter() - began, exchange.request_id)

    async def _look(self, exchange: Exchange, scope: Scope) -> None:
        """Serve a route of Starlette, and count only what it refused to a client: checks would fill log and metrics."""

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id)]
            await exchange.send(message)

        began = time.perf_counter()
        await self._rest(scope, exchange.receive, send)
        if exchange.status >= HTTPStatus.BAD_REQUEST and scope["path"] not in CHECKS:
            self._service.record("other", exchange.status, time.perf_counter() - began, exchange.request_id)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._service.start()
        watch = asyncio.create_task(self._service.watch(self.tracing))
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            if self.tracing is not None:
                await asyncio.to_thread(self.tracing.stop)
            self._service.stop()


class _Awaited:
    """A request whose answer a task waits for."""

    disconnected = False

    def __init__(self, operation: Operation, body: bytes, request_id: bytes) -> None:
        self.operation = operation
        self.body = body
        self.request_id = request_id
        self.arrived = time.perf_counter()
        self.answer: asyncio.Future[tuple[int, bytes, Headers]] = asyncio.get_running_loop().create_future()

    def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Wake the task."""
        if not self.answer.done():
            self.answer.set_result((status, body, headers))
