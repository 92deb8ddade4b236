"""The read-only routes: the page, health, readiness, metrics and the OpenAPI document.

Starlette serves them, as none is on the hot path. Each call passes it a complete request and collects the response.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as Asked
from starlette.responses import Response
from starlette.routing import Route

from scoring.http.openapi import describe_service
from scoring.http.request import Answer, Request
from scoring.page import render
from scoring.request_errors import MethodNotAllowed, NotFound
from scoring.responses import HealthAnswer, ReadyAnswer
from scoring.worker.service import Service

CHECKS = frozenset({b"/healthz", b"/readyz"})
"""Health checks. They are public, and one that reports a failure is neither counted nor logged."""

RENEW_SECONDS = 0.25
"""Rendering the metrics takes milliseconds, so it is done at most once in this time; requests share the result."""


class Looks:
    """The read-only routes of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._metrics = _Shared(service.metrics.render)
        self._description = b""
        self._app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/healthz", self._health),
                Route("/readyz", self._ready),
                Route("/metrics", self._figures),
                Route("/openapi.json", self._describe),
            ],
            exception_handlers={HTTPException: _refuse},
        )

    async def answer(self, request: Request) -> Answer:
        """The response of the route that `request` names."""
        messages: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": request.method.decode("latin-1"),
            "path": unquote(request.path.decode("latin-1")),
            "query_string": b"",
            "headers": list(request.headers.items()),
        }
        try:
            await self._app(scope, receive, send)  # type: ignore[arg-type] # these are ASGI's, in narrower types
        except Exception as error:  # noqa: BLE001 - also a mistake of ours must not leave a client without an answer
            rejection = self._service.rejection_of(error, request.request_id)
            return Answer(rejection.status, rejection.body(), rejection.headers())
        body = b"".join(message.get("body", b"") for message in messages[1:])
        headers = [header for header in messages[0]["headers"] if header[0] != b"content-length"]
        return Answer(messages[0]["status"], body, headers)

    async def _page(self, _: Asked) -> Response:
        content, headers = render()
        return Response(content, headers=headers)

    async def _health(self, _: Asked) -> Response:
        return _json(HealthAnswer(status="running"))

    async def _ready(self, asked: Asked) -> Response:
        model = self._service.model
        answer = ReadyAnswer(
            status="ready",
            model=model.name,
            bundle_hash=model.bundle.hash,
            engine=self._service.settings.engine,
            key_accepted=True if "authorization" in asked.headers else msgspec.UNSET,  # a wrong key was rejected before
        )
        return _json(answer)

    async def _figures(self, _: Asked) -> Response:
        return Response(await self._metrics.get(), headers={"content-type": self._service.metrics.content_type})

    async def _describe(self, _: Asked) -> Response:
        model = self._service.model
        self._description = self._description or msgspec.json.encode(describe_service(model))
        return Response(self._description, media_type="application/json")


class _Shared:
    """Computes a value once for all callers that wait for it. No caller gets a value computed before its call."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._made = 0.0
        self._next: asyncio.Task[bytes] | None = None

    async def get(self) -> bytes:
        if self._next is None:
            self._next = asyncio.create_task(self._renew())
        return await asyncio.shield(self._next)

    async def _renew(self) -> bytes:
        await asyncio.sleep(max(0.0, self._made + RENEW_SECONDS - time.monotonic()))
        self._next = None  # later callers need a newer value
        self._made = time.monotonic()
        return self._make()


async def _refuse(asked: Asked, error: Exception) -> NoReturn:
    """Raise `MethodNotAllowed` or `NotFound` instead of Starlette's own response."""
    allowed = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if allowed and isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        raise MethodNotAllowed(asked.method, allowed=allowed)
    raise NotFound("This path does not exist; /openapi.json lists those that do.")


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
