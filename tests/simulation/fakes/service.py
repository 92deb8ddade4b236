"""What the HTTP fakes share: they identify the caller, apply ordered faults, and answer refusals in Azure's format."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tests.simulation.faults import FaultKind, Faults
from tests.simulation.tokens import verify
from tests.simulation.world import RefusedError, World

Next = Callable[[Request], Awaitable[Response]]
HTTP_FAULTS = {
    FaultKind.THROTTLED: (429, "TooManyRequests"),
    FaultKind.UNAVAILABLE: (503, "ServiceUnavailable"),
    FaultKind.EXPIRED: (401, "ExpiredAuthenticationToken"),
    FaultKind.REFUSED: (409, "InjectedFault"),
}
BUSY = frozenset({429, 503})
START_SECONDS = 15.0
POLL_SECONDS = 0.02


def application(
    world: World, service: str, routes: Sequence[BaseRoute], *, audience: str | None, public: Sequence[str] = ()
) -> Starlette:
    """An application that logs its calls as "http SERVICE METHOD PATH" and requires a token for `audience`.

    `request.state.caller` is the caller's object id. `public` paths need no token, nor does anything without an
    `audience`.
    """
    faults = Faults(world)

    async def guard(request: Request, call_next: Next) -> Response:
        what = f"{request.method} {request.url.path}"
        caller = None
        try:
            if audience is not None and not request.url.path.startswith(tuple(public)):
                request.state.caller = caller = verify(world, request.headers.get("authorization", ""), audience)
            if _is_ours(world, caller):
                await _suffer(faults.meet("http", service, what))
            response = await call_next(request)
        except RefusedError as error:
            faults.log("http", service, what, error.code)
            return problem(error, service)
        faults.log("http", service, what, "ok" if response.status_code < 400 else str(response.status_code))
        return response

    app = Starlette(routes=list(routes), exception_handlers={ClientDisconnect: _gone})
    app.add_middleware(BaseHTTPMiddleware, dispatch=guard)
    return app


async def _gone(_request: Request, _error: Exception) -> Response:
    """To a client that was killed while it sent: nobody reads it."""
    return Response(status_code=499)


async def _suffer(hit: tuple[FaultKind, float] | None) -> None:
    """Apply a fault to a call: wait, or raise the refusal."""
    if hit is not None and hit[0] is FaultKind.SLOW:
        await asyncio.sleep(hit[1])
    elif hit is not None:
        raise RefusedError(*HTTP_FAULTS[hit[0]], "This answer was ordered by the test.")


def _is_ours(world: World, caller: str | None) -> bool:
    """Whether the product makes this call. Databricks' clusters read the lake as another principal, and faults aren't
    for them."""
    return caller is None or caller in {entry["object_id"] for entry in world.setting("deployers")}


def problem(error: RefusedError, service: str) -> Response:
    """A refusal in the service's format; Databricks has its own."""
    body: dict[str, object] = {"error": {"code": error.code, "message": error.message}}
    if service == "databricks":
        body = {"error_code": error.code, "message": error.message}
    headers = {"x-ms-error-code": error.code}
    if error.status in BUSY:  # clients retry any answer with this header
        headers["Retry-After"] = "0"
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer authorization_uri="https://login.microsoftonline.com"'
    return JSONResponse(body, status_code=error.status, headers=headers)


class Listener:
    """One application on a port of loopback, in its own thread."""

    def __init__(self, app: Starlette) -> None:
        """Plain HTTP: TLS ends in the proxy in front of it."""
        self._server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
        )
        self._thread = threading.Thread(target=self._server.run, name="listener", daemon=True)

    def start(self) -> int:
        """Start it, wait until it listens, and return its port."""
        self._thread.start()
        until = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise RuntimeError("the listener did not start")
            time.sleep(POLL_SECONDS)
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        self._server.should_exit = True
        self._thread.join()
