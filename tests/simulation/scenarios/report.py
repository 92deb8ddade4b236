"""The results of the scenarios: a line for each check and figure as it happens."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Result = TypeVar("Result")
LONGEST = 440


@dataclass
class Report:
    """The results. A failed check doesn't raise: the run goes on and reports all failures."""

    part: str
    """What each line begins with."""
    checks: int = 0
    missed: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def want(self, name: str, wanted: object, found: object) -> None:
        """Check that `found` equals `wanted`."""
        self.checks += 1
        if wanted == found:
            self.line(f"  yes {name}: {_short(found)}")
        else:
            self.missed.append(name)
            self.line(f"  NO  {name}: {_short(found)}, not {_short(wanted)}")

    def want_in(self, name: str, sentence: str, text: object) -> None:
        """Check that a text, such as an error's, contains `sentence`, in any case."""
        self.want(name, sentence, sentence if sentence.lower() in str(text).lower() else str(text))

    def note(self, name: str, value: object) -> None:
        """Print a figure without a target."""
        self.line(f"      {name}: {value}")

    def line(self, text: str) -> None:
        """Print a line with the time since the start."""
        sys.stdout.write(f"{self.part:8}{time.monotonic() - self.started:6.0f} s {text}\n")
        sys.stdout.flush()

    def end(self) -> int:
        """Print how many checks hold; returns the exit status."""
        missed = f", not: {'; '.join(self.missed)}" if self.missed else ""
        self.line(f"{self.checks - len(self.missed)} of {self.checks} hold{missed}")
        return 1 if self.missed else 0

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A part of the run; an unexpected exception is a failed check, and the run goes on."""
        self.line(title)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the other stages are still worth running
            self.want(title, "to end well", f"{type(error).__name__}: {error}")

    def timed(self, operate: Callable[[], Result]) -> tuple[Result, float]:
        """What `operate` returns, and its seconds."""
        started = time.monotonic()
        result = operate()
        return result, time.monotonic() - started


def _short(value: object) -> str:
    text = ", ".join(f"{count} {name}" for name, count in sorted(value.items())) if isinstance(value, Mapping) else ""
    text = text or str(value if value not in ({}, [], ()) else "nothing")
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."
