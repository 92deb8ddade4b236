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


class Looks:
    """The read-only routes of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._description = b""
        self._routes: dict[str, Callable[[Request], Found]] = {
            "/": self._page,
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._figures,
            "/openapi.json": self._describe,
        }

    def answer(self, request: Request) -> Answer:
        """The response of the route that `request` names."""
        try:
            return Answer(HTTPStatus.OK, *self._found(request))
        except Exception as error:  # noqa: BLE001 - also a mistake of ours must not leave a client without an answer
            rejection = self._service.rejection_of(error, request.request_id)
            return Answer(rejection.status, rejection.body(), rejection.headers)

    def _found(self, request: Request) -> Found:
        route = self._routes.get(unquote(request.path.decode("latin-1")))
        if route is None:
            raise Refusal.NOT_FOUND("This path does not exist; /openapi.json lists those that do.")
        if request.method not in {b"GET", b"HEAD"}:
            raise method_not_allowed(request.method, allowed="GET, HEAD")
        return route(request)

    def _page(self, _: Request) -> Found:
        content, headers = render()
        return content, [(name.encode(), value.encode()) for name, value in headers.items()]

    def _health(self, _: Request) -> Found:
        return msgspec.json.encode(HealthAnswer(status="running")), []

    def _ready(self, request: Request) -> Found:
        model = self._service.model
        answer = ReadyAnswer(
            status="ready",
            model=model.name,
            bundle_hash=model.bundle.hash,
            engine=self._service.settings.engine,
            # A wrong key was rejected before.
            key_accepted=True if b"authorization" in request.headers else msgspec.UNSET,
        )
        return msgspec.json.encode(answer), []

    def _figures(self, _: Request) -> Found:
        return self._service.metrics.render(), [(b"content-type", self._service.metrics.content_type.encode())]

    def _describe(self, _: Request) -> Found:
        model = self._service.model
        self._description = self._description or msgspec.json.encode(describe_service(model))
        return self._description, []
