"""Notices that this process stood still, for example in a frozen virtual machine or by SIGSTOP.

Whoever was waited for could not act meanwhile either, or could not be heard, so the time does not count against them.
"""

import time

PAUSE_SECONDS = 1.0
"""A loop whose turn took this long has stood still: turns take a tenth of a second."""


class Pauses:
    """The pauses of a loop that asks in each turn."""

    def __init__(self) -> None:
        """The first turn begins."""
        self.now = time.monotonic()
        """When the latest turn began."""

    def turn(self) -> float:
        """Begin the next turn; returns for how many seconds the loop stood still before, which is mostly 0."""
        before, self.now = self.now, time.monotonic()
        took = self.now - before
        return took if took >= PAUSE_SECONDS else 0.0
