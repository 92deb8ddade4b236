"""One client's connection: takes requests from its reader, hands them over, and sends the answers in their order."""

import asyncio
import math
import time
from collections import deque
from typing import cast

from scoring.http.clients import KEEP_ALIVE_SECONDS, LINGER_SECONDS, SHUTDOWN_SECONDS, THROTTLE_SECONDS, Clients
from scoring.http.front import Front
from scoring.http.identity import NOBODY
from scoring.http.reader import MAX_PIPELINED, Reader, StopReading
from scoring.http.request import Headers, Request
from scoring.http.responses import CONTINUE
from scoring.request_errors import Overloaded, Rejection, SlowBody, SlowHead, TooManyRequests


class Connection(asyncio.Protocol):
    """A connection. Made before its TLS handshake, so that a client may be ended during it."""

    def __init__(self, front: Front, clients: Clients, address: str, *, inside: bool) -> None:
        """`inside` are those who reach a port that is not for everybody."""
        self.address = address
        self.inside = inside
        self.known = False
        """Whether a valid key was sent over it."""
        self.identity = NOBODY
        """Whose key was sent last."""
        self.deadline = math.inf
        self.handshake: asyncio.Task[None] | None = None
        self._front = front
        self._clients = clients
        self._client_seconds = front.settings.client_seconds
        self._most_bytes = front.settings.max_body_bytes
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(self, front.settings.max_header_bytes)
        self._open: deque[Request] = deque()
        """Requests whose answers were not sent, in the order that they came in."""
        self._reading: Request | None = None
        """The request whose body is awaited."""
        self._receiving = False
        """Whether a request has begun that is not whole."""
        self._ended = self._left = self._shutting_down = False
        """Nothing more is read; the last answer was sent; the next answer is the last."""
        self._paused = self._penance = False
        """The client does not take its answers; it asked too often."""

    @property
    def idle(self) -> bool:
        """Whether no request has begun that has no answer."""
        return not (self._open or self._receiving)

    @property
    def busy(self) -> bool:
        """Whether a whole request has no answer."""
        return bool(self._open) and self._open[0] is not self._reading

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none of asyncio's classes
        self._await_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let what is being answered find nobody."""
        del exc
        self._ended = self._left = True
        self.deadline = math.inf
        for request in self._open:
            request.disconnected = True
            self._front.room.free(request.size)
        self._open.clear()
        self._clients.drop(self)
        self._reading = None
        self._reader.close()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if not self._ended:
            self._reader.feed(data)

    def pause_writing(self) -> None:
        """Called when the client does not take its answers; it has as long as for sending."""
        self._paused = True
        self._await_client()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called when the client took them."""
        self._paused = False
        self._read_on()
        self._await_next()

    # Called by the reader.

    def begin(self) -> None:
        """Wait for the rest of a request; with one more than a client may send ahead, the connection ends."""
        if len(self._open) >= MAX_PIPELINED:
            raise StopReading
        self._receiving = True
        if not self._penance:
            self._await_client()

    def head(self, method: bytes, target: bytes, headers: Headers, *, keep_alive: bool) -> None:
        """Let a request in, or refuse it before its body costs anything."""
        request = self._front.request(self, method, target, headers)
        request.keep_alive = keep_alive and not self._shutting_down
        self._open.append(request)
        self._reading = request
        try:
            expects_word = self._front.admit(self, request)
        except Rejection as rejection:
            request.keep_alive = request.keep_alive and not request.body_is_large()
            self._ended = not request.keep_alive
            if isinstance(rejection, TooManyRequests) and not self.known and self._transport is not None:
                self._penance = True
                self._transport.pause_reading()
                self.deadline = time.perf_counter() + THROTTLE_SECONDS
            self._front.refuse(request, rejection)
            if self._ended:
                raise StopReading from None
        else:
            if expects_word and len(self._open) == 1 and self._transport is not None:
                self._transport.write(CONTINUE)

    def part(self, body: bytes) -> None:
        """Keep a part of a body, within limits."""
        request = self._reading
        if request is None or request.answer is not None:
            return
        if not self._front.room.hold(len(body)):
            self._give_up(request, Overloaded("More bytes wait than the service has room for; try again later."))
        if (rejection := request.take(body, self._most_bytes)) is not None:
            self._give_up(request, rejection)

    def whole(self) -> None:
        """Hand a request over."""
        request = self._reading
        self._receiving = False
        self._reading = None
        if request is not None and request.answer is None:
            self.deadline = math.inf
            request.arrived = time.perf_counter()
            self._front.finish(request)
        else:
            self._await_next()

    def misunderstood(self, rejection: Rejection, target: bytes, headers: Headers) -> None:
        """Answer what cannot be served, after what came before it, and end the connection."""
        if self._ended:
            return
        self._ended = True
        self.deadline = math.inf
        request = self._reading
        if request is not None and request.answer is None:
            request.keep_alive = False
            self._front.refuse(request, rejection)
        elif self._open:  # what came before was in order: it is answered, and then the connection closes
            self._open[-1].keep_alive = False
        elif request is not None:
            self._leave()  # it has its answer already
        else:
            request = self._front.request(self, b"", target, headers)
            request.keep_alive = False
            self._open.append(request)
            self._front.refuse(request, rejection)

    # Called by others.

    def answered(self) -> None:
        """Send the answers whose turn it is."""
        waiting = self._open
        while waiting and (answer := waiting[0].answer) is not None:
            request = waiting.popleft()
            self._front.room.free(request.size)
            close = not request.keep_alive
            if self._transport is not None:
                self._transport.write(self._front.writer.answer(request, answer, close=close))
            if close:
                self._leave()
                return
        if not waiting:
            self._await_next()

    def recognize(self) -> bool:
        """Treat it as a client's from now on; whether there is room for one more."""
        self.known = self._clients.recognize(self)
        return self.known

    def farewell(self) -> None:
        """Let the answer to the next request, or to the last of those that are open, be the last one."""
        self._shutting_down = True
        if self._open:
            self._open[-1].keep_alive = False
        elif not self._receiving:
            self._await_next()

    def end(self) -> None:
        """Close at once."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def expire(self, now: float) -> None:
        """Called when the deadline is over."""
        if self._left or self._paused:
            self.end()
        elif self._penance:
            self._penance = False
            self._read_on()
            self.deadline = now + self._client_seconds
        elif not self._receiving:
            self._leave()
        else:
            late, what = (SlowHead, "headers") if self._reader.in_head else (SlowBody, "body")
            self._reader.give_up(late(f"The {what} did not arrive within {self._client_seconds:g} seconds."))

    def _give_up(self, request: Request, rejection: Rejection) -> None:
        """Refuse a request in the midst of its body, and read no further."""
        self._ended = True
        request.keep_alive = False
        self._front.refuse(request, rejection)
        raise StopReading

    def _leave(self) -> None:
        self._ended = self._left = True
        self.deadline = time.perf_counter() + LINGER_SECONDS
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        elif self._transport is not None:  # over TLS a client has a part in the end, which it may not play
            self._transport.close()

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _await_client(self) -> None:
        self.deadline = time.perf_counter() + self._client_seconds

    def _await_next(self) -> None:
        """Wait for the next request, unless there is something else to wait for."""
        if self._paused or self._penance or self._left or self._open or self._receiving:
            return
        seconds = KEEP_ALIVE_SECONDS if self.known or self.inside else self._client_seconds
        self.deadline = time.perf_counter() + (SHUTDOWN_SECONDS if self._shutting_down else seconds)
