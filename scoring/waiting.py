"""How many requests wait in a worker, and whether one more could be answered in time."""

import time

ALWAYS_TAKEN = 4
"""Requests that may wait whatever the last ones took: one slow request says little about the next."""

WEIGHT = 0.05
"""Of the newest answer in the mean time that an answer takes."""


class Queue:
    """Requests that arrived whole and have no answer yet."""

    def __init__(self, *, most: int, seconds: float) -> None:
        """Full with `most` requests, or with those that take longer than `seconds` at the pace of the last answers."""
        self.waiting = 0
        self._most = most
        self._seconds = seconds
        self._pace = 0.0
        self._since = 0.0
        """Since when the oldest request that waits could have been answered."""

    def full(self) -> bool:
        """Whether one more request would wait too long."""
        if self.waiting >= self._most:
            return True
        return self.waiting >= ALWAYS_TAKEN and self.waiting * self._pace > self._seconds

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
        each = (now - self._since) / requests
        self._pace += (1 - (1 - WEIGHT) ** requests) * (each - self._pace)
        self._since = now
