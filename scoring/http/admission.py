"""How many requests and bytes wait in a worker, and whether one more request could be answered in time."""

import math
import time

ALWAYS_TAKEN = 4
"""Requests that may wait whatever the last ones took: one slow request says little about the next."""

MEMORY_SECONDS = 0.5
"""How far back the pace looks, in seconds with requests waiting: an answer so old counts a third of a new one.

A pause of Java's or of the machine's takes a tenth of that, and says little about the answers that follow."""


class Queue:
    """Requests that arrived whole and have no answer yet."""

    def __init__(self, *, maximum: int, seconds: float) -> None:
        """Full with `maximum` requests, or with those that take over `seconds` at the pace of the last answers."""
        self.waiting = 0
        self._maximum = maximum
        self._seconds = seconds
        self._busy = self._answers = 0.0
        """Seconds with requests waiting, and the answers of those seconds; older ones count less."""
        self._since = 0.0
        """Since when the oldest request that waits could have been answered."""

    def full(self) -> bool:
        """Whether one more request would wait too long."""
        if self.waiting >= self._maximum:
            return True
        return self.waiting >= ALWAYS_TAKEN and self.waiting * self._busy > self._seconds * self._answers

    def enter(self) -> None:
        """A request has arrived."""
        if not self.waiting:
            self._since = time.perf_counter()
        self.waiting += 1

    def answer(self, requests: int) -> None:
        """So many requests, together, have their answers or need none any more."""
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
    """Bytes of bodies that arrived, whole or not, and have no answer yet: of all connections of a worker together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def hold(self, size: int) -> bool:
        """Whether there is room for so many more, which are then held."""
        if self.held + size > self._most:
            return False
        self.held += size
        return True

    def free(self, size: int) -> None:
        """Give back what was held."""
        self.held -= size
