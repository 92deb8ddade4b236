"""Which refusals get a line in the log: the first ones of a kind, and then a count of the others.

Whoever is refused can ask again as often as he likes, and the log is paid for by volume.
"""

import time
from collections import Counter

from scoring.worker.logs import LogSink

LINES = 60
"""Lines of a kind"""

EVERY_SECONDS = 60.0
"""in that time."""


class RefusalLines:
    """The refusals of a worker; a kind is an operation and a status."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._began = time.monotonic()
        self._seen: Counter[tuple[str, int]] = Counter()

    def may_add(self, operation: str, status: int) -> bool:
        """Whether one more of this kind gets its line."""
        self._seen[operation, status] += 1
        return self._seen[operation, status] <= LINES

    def tell(self, *, last: bool = False) -> None:
        """Write how many had no line and begin anew, when the time is over or this is the last occasion."""
        now = time.monotonic()
        if now - self._began < EVERY_SECONDS and not last:
            return
        for (operation, status), seen in self._seen.items():
            if seen > LINES:
                self._sink.event("requests without a line", operation=operation, status=status, count=seen - LINES)
        self._seen.clear()
        self._began = now
