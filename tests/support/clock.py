"""A clock that a test sets, in place of the module `time` of the module it tests."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: float = 0.0
    """Seconds."""

    def time(self) -> float:
        """The set time."""
        return self.now

    def monotonic(self) -> float:
        """The set time."""
        return self.now

    def perf_counter(self) -> float:
        """The set time."""
        return self.now
