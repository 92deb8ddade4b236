"""The HTTP front: `/score`, `/rank` and `/explain` are served by a plain ASGI function, everything else by Starlette.

Starlette's routing, requests and responses would take a third of the time of a single-record request.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from scoring import operations
from scoring.answers import ModelName
from scoring.exchange import DisconnectedError, Exchange, Message, Receive, Scope, Send
from scoring.logs import describe
from scoring.model import ServedModel
from scoring.rejections import DeadlineExceeded, InternalError, MethodNotAllowed, Rejection, Unauthorized
from scoring.routes import fail, refuse, routes
from scoring.service import Service
from scoring.waiting import Queue

Operation = Callable[[ServedModel, ModelName, bytes], Awaitable[tuple[bytes, int]]]


ACCESS_LINE = (
    b'{"timestamp":%.3f,"level":"info","event":"request","request_id":"%s","operation":"%s","status":%d,'
    b'"milliseconds":%.3f}'
)
"""A request in the log. None of its parts needs escaping."""


class Front:
    """The ASGI application."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.settings = service.settings
        self.queue = Queue(most=service.settings.max_queue, seconds=service.settings.queue_seconds)
        self._operations: dict[str, tuple[str, Operation]] = {
            "/score": ("score", operations.score),
            "/rank": ("rank", operations.rank),
            "/explain": ("explain", operations.explain),
        }
        self._rest = Starlette(
            routes=routes(service), lifespan=self._lifespan, exception_handlers={HTTPException: refuse, Exception: fail}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of ASGI."""
        if scope["type"] == "http" and (found := self._operations.get(scope["path"])) is not None:
            await self._operate(Exchange(scope, receive, send), scope, *found)
        elif scope["type"] == "http":
            await self._look(Exchange(scope, receive, send), scope)
        else:
            await self._rest(scope, receive, send)

    async def _operate(self, exchange: Exchange, scope: Scope, name: str, operation: Operation) -> None:
        began = time.perf_counter()
        try:
            await self._score(exchange, scope, operation)
        except Rejection as rejection:
            await exchange.reject(rejection)
        except DisconnectedError:
            return
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost the worker
            self._service.sink.event(
                "internal error", level="error", request_id=exchange.request_id.decode(), **describe(error)
            )
            await exchange.reject(InternalError("The service made a mistake; its log has the request's id."))
        self._record(exchange, name, time.perf_counter() - scope.get("arrived", began))

    async def _look(self, exchange: Exchange, scope: Scope) -> None:
        """Serve a route of Starlette, and write only what it refused: probes would fill the log."""

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id)]
            await exchange.send(message)

        began = time.perf_counter()
        await self._rest(scope, exchange.receive, send)
        if exchange.status >= HTTPStatus.BAD_REQUEST:
            self._record(exchange, "other", time.perf_counter() - began)

    def refused(self, path: str, status: int, request_id: bytes) -> None:
        """Count and log a request that its connection refused."""
        name = self._operations[path][0] if path in self._operations else "other"
        self._service.metrics.answered(name, status, 0.0)
        self._service.sink.add(ACCESS_LINE % (time.time(), request_id, name.encode(), status, 0.0))

    def _record(self, exchange: Exchange, name: str, seconds: float) -> None:
        self._service.metrics.answered(name, exchange.status, seconds)
        line = (time.time(), exchange.request_id, name.encode(), exchange.status, seconds * 1000)
        self._service.sink.add(ACCESS_LINE % line)

    async def _score(self, exchange: Exchange, scope: Scope, operation: Operation) -> None:
        service = self._service
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], allowed="POST")
        if not service.keys.accepts(exchange.authorization):
            raise Unauthorized("Send a valid key as `authorization: Bearer KEY`.")
        model = service.model
        settings = self.settings
        body = await exchange.read_json(limit=settings.max_body_bytes)
        if time.perf_counter() - scope["arrived"] > settings.deadline_seconds:
            raise DeadlineExceeded(f"The request waited for more than {settings.deadline_seconds:g} seconds.")
        answer, records = await operation(model, service.name, body)
        service.metrics.scored(records)
        await exchange.answer(200, answer)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._service.start()
        watch = asyncio.create_task(self._service.watch())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            self._service.stop()
