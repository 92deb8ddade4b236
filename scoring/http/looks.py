"""The read-only routes: the page, health, readiness, metrics and the OpenAPI document."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from scoring.http.openapi import describe_service
from scoring.http.request import Answer, Request
from scoring.page import render
from scoring.request_errors import Headers, Refusal, method_not_allowed
from scoring.responses import HealthAnswer, ReadyAnswer
from scoring.worker.service import Service

CHECKS = frozenset({b"/healthz", b"/readyz"})
"""Health checks. They are public, and one that reports a failure is neither counted nor logged."""

Found = tuple[bytes, Headers]
"""A body, and the headers in addition to those of every response, which says that it is JSON unless they do."""


def look(service: Service, request: Request) -> Answer:
    """The response of the read-only route that `request` names."""
    try:
        return Answer(HTTPStatus.OK, *_found(service, request))
    except Exception as error:  # noqa: BLE001 - also a mistake of ours must not leave a client without an answer
        rejection = service.rejection_of(error, request.request_id)
        return Answer(rejection.status, rejection.body(), rejection.headers)


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


def _figures(service: Service, _: Request) -> Found:
    return service.metrics.render(), [(b"content-type", service.metrics.content_type.encode())]


ROUTES: dict[str, Callable[[Service, Request], Found]] = {
    "/": lambda *_: render(),
    "/healthz": lambda *_: (msgspec.json.encode(HealthAnswer(status="running")), []),
    "/readyz": _ready,
    "/metrics": _figures,
    "/openapi.json": lambda service, _: (
        msgspec.json.encode(describe_service(service.model, service.lookups.catalogue, service.settings.title)),
        [],
    ),
}
