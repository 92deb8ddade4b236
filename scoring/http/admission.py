"""Limits on a worker's waiting requests and bytes. Predicts whether one more request would be answered in time."""

import math
import time

ALWAYS_TAKEN = 4
"""This many requests may always wait, at any pace: one slow request says little about the next."""

MEMORY_SECONDS = 0.5
"""Time constant of the pace's exponential average, in seconds with requests waiting.

It is ten times as long as a typical pause of Java or the machine, which says little about later responses."""


class Queue:
    """Counts unanswered complete requests, and measures the pace at which they are answered."""

    def __init__(self, *, maximum: int, seconds: float) -> None:
        """Full with `maximum` requests, or if answering them takes over `seconds` at the pace of recent responses."""
        self.waiting = 0
        self._maximum = maximum
        self._seconds = seconds
        self._busy = self._answers = 0.0
        """Seconds with requests waiting, and responses in that time; both decay exponentially."""
        self._since = 0.0
        """When requests were last answered, or when the first request entered the empty queue, whichever is later."""

    def full(self) -> bool:
        """Whether to refuse one more request."""
        if self.waiting >= self._maximum:
            return True
        return self.waiting >= ALWAYS_TAKEN and self.waiting * self._busy > self._seconds * self._answers

    def enter(self) -> None:
        """Count a request that arrived."""
        if not self.waiting:
            self._since = time.perf_counter()
        self.waiting += 1

    def answer(self, requests: int) -> None:
        """Count requests that were answered together, including those whose client disconnected."""
        if not requests:
            return
        self.waiting -= requests
        now = time.perf_counter()
        busy = now - self._since
        kept = math.exp(-busy / MEMORY_SECONDS)
        self._busy = kept * self._busy + busy
        self._answers = kept * self._answers + requests
        self._since = now


class Room:
    """Limits the bytes of unanswered bodies, complete or not, over all connections of a worker."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def hold(self, size: int) -> bool:
        """Reserve `size` bytes. Returns False, and reserves nothing, if they exceed the limit."""
        if self.held + size > self._most:
            return False
        self.held += size
        return True

    def free(self, size: int) -> None:
        """Release reserved bytes."""
        self.held -= size
