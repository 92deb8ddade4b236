"""The short way of a request for scores: from its connection's parser to the batcher and back, without ASGI.

A task, its messages and a timer for each request would cost twice what its score does. What is not an ordinary request
(sent ahead of an answer, in HTTP/1.0, with `expect`) goes the long way, which `Connection` and `Front` are.
"""

import asyncio
import math
import time
from typing import ClassVar, Protocol, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from scoring.exchange import Head, Headers, empty_body, too_large
from scoring.http.connection import Connection, NoEvent
from scoring.model.operations import OPERATIONS, Operation
from scoring.request_errors import Rejection

BY_TARGET = {path.encode(): operation for path, operation in OPERATIONS.items()}


class DirectRequest(Head):
    """A request for scores. It stands where uvicorn expects the request's cycle."""

    __slots__ = (
        "_connection",
        "arrived",
        "body",
        "disconnected",
        "keep_alive",
        "operation",
        "parts",
        "response_complete",
        "size",
    )

    message_event = NoEvent()
    response_started = False

    def __init__(self, connection: "DirectConnection", operation: Operation, headers: Headers) -> None:
        super().__init__(headers)
        self._connection = connection
        self.operation = operation
        self.body = b""
        self.parts: list[bytes] = []
        self.size = 0
        self.arrived = time.perf_counter()
        self.keep_alive = True
        self.disconnected = self.response_complete = False

    def reply(self, status: int, body: bytes, headers: Headers) -> None:
        """Send the answer."""
        self.response_complete = True
        if not self.disconnected:
            self._connection.send(self, status, body, headers)


class MakeRequest(Protocol):
    """Makes what stands for a request, from its connection, what it asks for and its headers."""

    def __call__(self, connection: "DirectConnection", operation: Operation, headers: Headers, /) -> DirectRequest:
        """Make it."""
        ...


class DirectConnection(Connection):
    """A connection that hands ordinary requests for scores to the batcher."""

    request: ClassVar[MakeRequest] = DirectRequest
    """Makes what stands for a request."""

    _direct: DirectRequest | None = None
    _idle_since = math.inf
    _idle_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        self._direct = None
        self._idle_since = math.inf
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Called by the parser for a part of a body."""
        direct = self._direct
        if direct is None:
            super().on_body(body)
        elif not direct.response_complete:
            direct.parts.append(body)
            direct.size += len(body)
            if direct.size > self._settings.max_body_bytes:
                self._reject(direct, too_large(self._settings.max_body_bytes))

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a request."""
        direct = self._direct
        if direct is None:
            super().on_message_complete()
            return
        self._receiving = False
        self._stop_waiting()
        if direct.response_complete:
            return
        direct.arrived = time.perf_counter()
        if direct.size:
            direct.body = b"".join(direct.parts)
            self.front.batcher.submit(direct)
        else:
            self._reject(direct, empty_body())

    def send(self, request: DirectRequest, status: int, body: bytes, headers: Headers) -> None:
        """Write an answer, and go on with what the client sent behind its request."""
        if self.transport.is_closing():
            return
        close = not request.keep_alive or (b"connection", b"close") in headers
        headers = [header for header in headers if header[0] != b"connection"] if headers else headers
        defaults = self.server_state.default_headers
        answer = self.front.writer.answer(defaults, status, body, headers, request_id=request.request_id, close=close)
        self.transport.write(answer)
        if close:
            self._leave()
        elif self._receiving or self.pipeline:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._rest()

    def _take(self) -> bool:
        operation = BY_TARGET.get(self.url)
        parser = self.parser
        if (
            operation is None
            or self.expect_100_continue
            or self.flow.write_paused
            or not parser.should_keep_alive()
            or parser.get_http_version() != "1.1"
        ):
            return False
        direct = self.request(self, operation, self.headers)
        self._direct = direct
        self.cycle = cast("RequestResponseCycle", direct)
        try:
            self.front.admit(direct)
        except Rejection as rejection:
            self._reject(direct, rejection)
        return True

    def _reject(self, direct: DirectRequest, rejection: Rejection) -> None:
        direct.reply(rejection.status, rejection.body(), rejection.headers())
        self.front.refused("/" + direct.operation.name, rejection.status, direct.request_id)

    def _resting(self) -> bool:
        return self._idle_since < math.inf or super()._resting()

    def _rest(self) -> None:
        """Keep the connection for a while. The timer runs on over later requests, because setting one costs time."""
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._end_rest)

    def _end_rest(self) -> None:
        self._idle_timer = None
        if self._idle_since == math.inf:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.timeout_keep_alive_handler()
        else:
            self._idle_timer = self.loop.call_later(left, self._end_rest)
