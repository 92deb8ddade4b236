"""A client connection: passes requests from its reader to the front, and sends responses in the requests' order."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import cast

from scoring.http.admission import NOBODY
from scoring.http.clients import KEEP_ALIVE_SECONDS, LINGER_SECONDS, SHUTDOWN_SECONDS, THROTTLE_SECONDS, Clients
from scoring.http.front import Front
from scoring.http.reader import MAX_PIPELINED, Reader, StopReading
from scoring.http.request import CONTINUE, UNREAD_BYTES, Pending, Request, written
from scoring.request_errors import Headers, Refusal, Rejection, unauthorized
from scoring.worker.keys import Key


class Connection(asyncio.Protocol):
    """A client connection. It is created before the TLS handshake, so that it can be closed during the handshake."""

    def __init__(self, front: Front, clients: Clients, address: str, *, inside: bool) -> None:
        """`inside` is whether it came through the inside port, where read-only routes need no key."""
        self.address = address
        self.inside = inside
        self.known = False
        """Whether a valid key has been sent over it."""
        self.deadline = math.inf
        """When `expire` is due, by `time.perf_counter`."""
        self._client_seconds = front.settings.client_seconds
        self._transport: asyncio.Transport | None = None
        self._write: Callable[[bytes], object] = bytes  # which does nothing, until there is a transport
        self._open = Pending(front.room)
        self._receiving = False
        """Whether part of a request has arrived."""
        self._ended = self._left = self._shutting_down = self._half_closed = False
        """`_ended`: input is ignored; `_left`: the last response is sent, or being sent; `_shutting_down`: the next is
        the last; `_half_closed`: the client sends no more."""
        self._paused = self._penance = False
        """`_paused`: the client reads no responses; `_penance`: it exceeded the rate limit, and is not read from."""
        self.key: Key | None = None
        """The valid key that was sent last."""
        self.identity = NOBODY
        """What was sent last as a key."""
        self.handshake: asyncio.Task[None] | None = None
        self._front = front
        self._clients = clients
        self._most_bytes = front.settings.max_body_bytes
        self._reader = Reader(self, front.settings.max_header_bytes)

    @property
    def idle(self) -> bool:
        """Whether no request is in progress, not even a partial one or one whose response is being sent."""
        return not (self._open or self._receiving or self._paused)

    @property
    def busy(self) -> bool:
        """Whether a complete request is waiting for its response."""
        return self._open.waits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline for the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass of asyncio's
        self._write = self._transport.write
        self._await_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """Mark the open requests as disconnected, and release their memory."""
        del exc
        self._ended = self._left = True
        self.deadline = math.inf
        self._open.lose()
        self._clients.drop(self)
        self._reader.close()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes."""
        if not self._ended:
            self._reader.feed(data)

    def pause_writing(self) -> None:
        """Called when the client does not read its responses. It must resume within `--client-seconds`."""
        self._paused = True
        self._await_client()
        if not self._left:  # at the end, what arrives is dropped: closing a connection with unread bytes resets it
            self._stop_reading()

    def resume_writing(self) -> None:
        """Called when the client has read them."""
        self._paused = False
        self._read_on()
        if self._left:
            self._linger(idle=False)
        self._await_next()

    def eof_received(self) -> bool:
        """Called when the client sends no more; it may still read the responses to its complete requests."""
        self._ended = self._half_closed = True
        self._receiving = False
        self._open.forget_partial()
        if self._open and self._is_plain:
            self._open.end_with_last()
            return True
        self._left = True
        self._await_client()
        return False  # the transport closes once what was written is sent

    # Called by the reader.

    def begin(self, of_read: int) -> None:
        """Start the deadline for a new request, the `of_read`-th of a read.

        Raises `StopReading` beyond `MAX_PIPELINED` of them or of unanswered ones, and ends the connection after these.
        """
        if max(of_read, len(self._open) + 1) > MAX_PIPELINED:
            self._leave_after_open()
            raise StopReading
        self._receiving = True
        if not self._penance:
            self._await_client()

    def head(self, method: bytes, target: bytes, headers: Headers, *, keep_alive: bool) -> None:
        """Admit a request, or answer it before its body is received."""
        request = self._front.request(self, method, target, headers)
        request.keep_alive = keep_alive and not self._shutting_down
        self._open.add(request)
        try:
            expects_word = self._front.admit(self, request)
        except Rejection as rejection:
            self._skip_body(request)
            if rejection.refusal is Refusal.TOO_MANY_REQUESTS and not self.known:
                self._penance = True
                self._stop_reading()
                self.deadline = time.perf_counter() + THROTTLE_SECONDS
            self._front.refuse(request, rejection)
        else:
            if request.operation is None:
                self._skip_body(request)
                request.arrived = time.perf_counter()
                self._front.finish(request)
            elif expects_word and len(self._open) == 1:
                self._write(CONTINUE)
        if self._ended:
            raise StopReading

    def part(self, body: bytes) -> None:
        """Store a part of a body, within the limits."""
        request = self._open.reading
        if request is None or not request.wants_body:
            return
        if not self._front.room.hold(len(body)):
            self._give_up(request, Refusal.OVERLOADED("Too many unanswered bytes; try again later."))
        if (rejection := request.take(body, self._most_bytes)) is not None:
            self._give_up(request, rejection)

    def whole(self) -> None:
        """Pass a complete request to the front."""
        request, self._open.reading = self._open.reading, None
        self._receiving = False
        if self._open:
            self.deadline = math.inf
        if request is not None and request.wants_body:
            request.arrived = time.perf_counter()
            self._front.finish(request)
        else:
            self._await_next()

    def misunderstood(self, rejection: Rejection, target: bytes, headers: Headers) -> None:
        """Reject input that is invalid or incomplete, answer the requests before it, and end the connection."""
        if self._ended:
            return
        self._ended = True
        self.deadline = math.inf
        request = self._open.reading
        if request is not None and request.wants_body:
            request.keep_alive = False
            self._front.refuse(request, rejection)
        elif self._open or request is not None:  # earlier requests were valid, and this one was already answered
            self._leave_after_open()
        else:
            request = self._front.request(self, b"", target, headers)
            request.keep_alive = False
            self._open.add(request)
            self._front.refuse(request, rejection)

    # Called by others.

    def answered(self) -> None:
        """Send the responses that are ready, in the order of the requests."""
        while self._open and (found := self._open.answered()) is not None:
            request, answer = found
            close = not request.keep_alive
            self._write(written(request, answer, close=close))
            if close:
                self._leave()
                return
        if not self._open:
            self._await_next()

    def recognize(self) -> bool:
        """Count it as a client with a key from now on. Returns False if there is no room."""
        self.known = self._clients.recognize(self)
        return self.known

    def farewell(self) -> None:
        """Close after the response to the last open request, or to the next one if none is open."""
        self._shutting_down = True
        if self._open:
            self._open.end_with_last()
        elif not self._receiving:
            self._await_next()

    def revoke(self) -> None:
        """Close after the responses to the complete requests, as the key is no longer valid."""
        self.known = False
        if self._ended:
            return
        if self._receiving:
            self._reader.give_up(unauthorized("The key of this connection was removed; send another one."))
        else:
            self._leave_after_open()

    def end(self) -> None:
        """Close at once."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def expire(self, now: float) -> None:
        """Called when the deadline has passed."""
        if self._left or self._paused:
            self.end()
        elif self._penance:
            self._penance = False
            self._read_on()
            self.deadline = now + self._client_seconds
        elif not self._receiving:
            self._leave(idle=True)
        else:
            late, what = (Refusal.SLOW_HEAD, "headers") if self._reader.in_head else (Refusal.SLOW_BODY, "body")
            self._reader.give_up(late(f"The {what} did not arrive within {self._client_seconds:g} seconds."))

    @property
    def _is_plain(self) -> bool:
        """Whether there is no TLS, which can't close one direction, nor tell when all is sent before it is closed."""
        return self._transport is not None and self._transport.can_write_eof()

    def _stop_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _skip_body(self, request: Request) -> None:
        """Drop the body of a request, and stop reading here if it may be large."""
        length = int(request.headers.get(b"content-length", 0))
        is_large = b"transfer-encoding" in request.headers or length > UNREAD_BYTES
        request.keep_alive = request.keep_alive and not is_large
        self._ended = not request.keep_alive

    def _give_up(self, request: Request, rejection: Rejection) -> None:
        """Reject a request while its body is arriving, and stop reading."""
        self._ended = True
        request.keep_alive = False
        self._front.refuse(request, rejection)
        raise StopReading

    def _leave_after_open(self) -> None:
        self._ended = True
        if self._open:
            self._open.end_with_last()
        else:
            self._leave()

    def _leave(self, *, idle: bool = False) -> None:
        self._ended = self._left = True
        if not self._paused:
            self._linger(idle=idle)
        if self._transport is None:
            return
        self._transport.set_write_buffer_limits(0)  # writing is paused until all is sent
        if self._is_plain and not self._half_closed:
            self._transport.write_eof()
        else:  # a client that has sent all that it will need not be listened to
            self._transport.close()
        if idle and not self._transport.get_write_buffer_size():  # closing TLS pauses writing, though all is sent
            self._linger(idle=True)

    def _linger(self, *, idle: bool) -> None:
        """Start the deadline after the last response. With TLS, some of that may not be sent yet."""
        all_sent = self._is_plain or idle
        self.deadline = time.perf_counter() + (LINGER_SECONDS if all_sent else self._client_seconds)

    def _await_client(self) -> None:
        self.deadline = time.perf_counter() + self._client_seconds

    def _await_next(self) -> None:
        """Start the deadline for the next request, unless the connection is waiting for something else."""
        if self._paused or self._penance or self._left or self._open or self._receiving:
            return
        seconds = KEEP_ALIVE_SECONDS if self.known or self.inside else self._client_seconds
        self.deadline = time.perf_counter() + (SHUTDOWN_SECONDS if self._shutting_down else seconds)
