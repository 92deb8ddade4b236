"""What a connection is waiting for, and for how long."""

import math
import time

from scoring.http.admission import Room
from scoring.http.clients import KEEP_ALIVE_SECONDS, LINGER_SECONDS, SHUTDOWN_SECONDS
from scoring.http.pending import Pending
from scoring.http.wire import Wire


class State:
    """The state of a connection, and the deadline that it has in it."""

    def __init__(self, room: Room, client_seconds: float, *, inside: bool) -> None:
        """`inside` is whether it came through the inside port, where read-only routes need no key."""
        self.inside = inside
        self.known = False
        """Whether a valid key has been sent over it."""
        self.deadline = math.inf
        """When `expire` is due, by `time.perf_counter`."""
        self._client_seconds = client_seconds
        self._wire = Wire()
        self._open = Pending(room)
        self._receiving = False
        """Whether part of a request has arrived."""
        self._ended = self._left = self._shutting_down = self._half_closed = False
        """`_ended`: input is ignored; `_left`: the last response is sent, or being sent; `_shutting_down`: the next is
        the last; `_half_closed`: the client sends no more."""
        self._paused = self._penance = False
        """`_paused`: the client reads no responses; `_penance`: it exceeded the rate limit, and is not read from."""

    @property
    def idle(self) -> bool:
        """Whether no request is in progress, not even a partial one or one whose response is being sent."""
        return not (self._open or self._receiving or self._paused)

    @property
    def busy(self) -> bool:
        """Whether a complete request is waiting for its response."""
        return self._open.waits

    def _linger(self, *, idle: bool) -> None:
        """Start the deadline after the last response. With TLS, some of that may not be sent yet."""
        all_sent = self._wire.is_plain or idle
        self.deadline = time.perf_counter() + (LINGER_SECONDS if all_sent else self._client_seconds)

    def _await_client(self) -> None:
        self.deadline = time.perf_counter() + self._client_seconds

    def _await_next(self) -> None:
        """Start the deadline for the next request, unless the connection is waiting for something else."""
        if self._paused or self._penance or self._left or self._open or self._receiving:
            return
        seconds = KEEP_ALIVE_SECONDS if self.known or self.inside else self._client_seconds
        self.deadline = time.perf_counter() + (SHUTDOWN_SECONDS if self._shutting_down else seconds)
