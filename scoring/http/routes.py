"""The routes that are not hot: the page, health, readiness, metrics and the description of the service."""

from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scoring.http.openapi import describe_service
from scoring.page import render
from scoring.request_errors import InternalError, MethodNotAllowed, NotFound, Rejection
from scoring.responses import HealthAnswer, ReadyAnswer
from scoring.worker.service import Service

CHECKS = frozenset({"/healthz", "/readyz"})
"""Paths that are asked for the service's own sake: no user is told when they refuse."""


def routes(service: Service) -> list[Route]:
    """The routes over `service`."""

    async def health(_: Request) -> Response:
        return _json(HealthAnswer(status="running"))

    async def ready(request: Request) -> Response:
        return _readiness(service, request.headers.get("authorization"))

    async def metrics(_: Request) -> Response:
        return Response(service.metrics.render(), headers={"content-type": service.metrics.content_type})

    async def openapi(_: Request) -> Response:
        try:
            return _json(describe_service(service.model, service.name))
        except Rejection as rejection:
            return _rejected(rejection)

    async def page(_: Request) -> Response:
        content, headers = render()
        return Response(content, headers=headers)

    return [
        Route("/", page),
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
    ]


def _readiness(service: Service, authorization: str | None) -> Response:
    try:
        model = service.model
    except Rejection as rejection:
        return _rejected(rejection)
    answer = ReadyAnswer(
        status="ready",
        model=service.name,
        bundle_hash=model.bundle.hash,
        engine=service.settings.engine,
        key_accepted=msgspec.UNSET if authorization is None else service.keys.accepts(authorization.encode("latin-1")),
    )
    return _json(answer)


async def refuse(request: Request, error: Exception) -> Response:
    """The answer to a path or method that the routes do not have."""
    allowed = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if allowed:
        return _rejected(MethodNotAllowed(request.method, allowed=allowed))
    return _rejected(NotFound("This path does not exist; /openapi.json lists those that do."))


async def fail(_: Request, _error: Exception) -> Response:
    """The answer when a route fails; the server writes the cause to the log."""
    return _rejected(InternalError("Internal error; the service's log has the details."))


def _json(answer: msgspec.Struct | Mapping[str, object]) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _rejected(rejection: Rejection) -> Response:
    headers = {name.decode(): value.decode() for name, value in rejection.headers()}
    return Response(rejection.body(), rejection.status, headers, media_type="application/json")
