"""How long a client is waited for, and what becomes of its requests when it is not waited for any longer."""

import asyncio
from abc import abstractmethod
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from scoring.http.front import Front

LINGER_SECONDS = 1.0
"""How long a client that is sent away is still listened to: ending at once would take the last answer from it."""


class PatientConnection(HttpToolsProtocol):
    """A connection whose client has so many seconds to send a request, and as many to take its answers."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.front = cast("Front", self.app)
        self._settings = self.front.settings
        self._started: RequestResponseCycle | None = None
        """What is being answered; `cycle` is the newest request, which may wait behind it."""
        self._client_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was waited for."""
        self._stop_waiting()
        self._abandon()
        self.resume_writing()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Called when no new request came in time."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """Called when the client does not take its answers; it has as long as for sending."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(self._settings.client_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Called when the client took them."""
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
        super().resume_writing()

    @abstractmethod
    def _give_up(self) -> None:
        """Called when the client did not send what was waited for."""

    def _wait_for_client(self) -> None:
        if self._client_timer is None:
            self._client_timer = self.loop.call_later(self._settings.client_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._client_timer is not None:
            self._client_timer.cancel()
            self._client_timer = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._started = cycle
        super()._start_asgi_task(cycle, app)

    def _abandon(self) -> None:
        """Let what is being answered find nobody. uvicorn does so only for the newest request."""
        if self._started is not None:
            self._started.disconnected = True
            self._started.waiting_for_100_continue = False
            self._started.message_event.set()

    def _hang_up(self) -> None:
        self._abandon()
        self._close()

    def _close(self) -> None:
        """Close. Over TLS a client has a part in that, which it may not play."""
        self.transport.close()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
