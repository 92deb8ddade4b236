"""How many requests wait in a worker, and whether one more could be answered in time."""

import time

ALWAYS_TAKEN = 4
"""Requests that may wait whatever the last ones took: one slow request says little about the next."""

WEIGHT = 0.05
"""Of the newest answer in the mean time between answers."""


class Queue:
    """Requests that arrived whole and have no answer yet, as the connections count them."""

    def __init__(self, *, most: int, seconds: float) -> None:
        """Full with `most` requests, or with those that take longer than `seconds` at the pace of the last answers."""
        self.waiting = 0
        self._most = most
        self._seconds = seconds
        self._pace = 0.0
        self._last = 0.0
        self._busy = False

    def full(self) -> bool:
        """Whether one more request would wait too long."""
        if self.waiting >= self._most:
            return True
        return self.waiting >= ALWAYS_TAKEN and self.waiting * self._pace > self._seconds

    def enter(self) -> None:
        """A request has arrived."""
        self.waiting += 1

    def answer(self) -> None:
        """A request has its answer. The time since the one before counts when there was work all along."""
        self.waiting -= 1
        now = time.perf_counter()
        if self._busy:
            self._pace += WEIGHT * (now - self._last - self._pace)
        self._last = now
        self._busy = self.waiting > 0

    def leave(self, requests: int) -> None:
        """Requests whose client went away."""
        self.waiting -= requests
