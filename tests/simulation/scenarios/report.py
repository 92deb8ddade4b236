"""The results of the scenarios: checks, figures, and a line for each as it happens."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmarks.results import Target

Result = TypeVar("Result")
WIDTH = 110


@dataclass
class Report:
    """The results, in order. A failed check doesn't raise: the run goes on and reports all failures."""

    targets: list[Target] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _doing: str = ""

    @property
    def holds(self) -> bool:
        """Whether all checks hold."""
        return all(target.holds for target in self.targets)

    def want(self, name: str, wanted: object, found: object) -> None:
        """Check that `found` equals `wanted`; a difference is shown at once."""
        holds = wanted == found
        number = found if isinstance(found, int | float) else int(holds)
        self.targets.append(Target(name=name, target=_short(wanted), measured=float(number), holds=holds))
        self.line(f"  {'yes' if holds else 'NO '} {name}: {_short(found)}{'' if holds else f', not {_short(wanted)}'}")

    def note(self, name: str, value: object) -> None:
        """Keep a figure without a target."""
        self.figures[name] = value
        self.line(f"      {name}: {value}")

    def line(self, text: str) -> None:
        """Print a line with the time since the start."""
        self._clear()
        sys.stdout.write(f"{time.monotonic() - self.started:6.0f} s {text}\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Show the current activity, on a terminal only; the next line replaces it."""
        if sys.stdout.isatty():
            self._clear()
            self._doing = f"         {self._title}: {text}".replace("\n", " ")[:WIDTH]
            sys.stdout.write(self._doing)
            sys.stdout.flush()

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A timed part of the run; an unexpected exception is a failed check, and the run goes on."""
        self._title = title
        self.line(title)
        started = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the other stages are still worth running
            self.want(title, "to end well", f"{type(error).__name__}: {error}")
        self.figures.setdefault("seconds", {})[title] = round(time.monotonic() - started, 1)

    def timed(self, operate: Callable[[], Result]) -> tuple[Result, float]:
        """What `operate` returns, and its seconds."""
        started = time.monotonic()
        result = operate()
        return result, time.monotonic() - started

    _title: str = ""

    def _clear(self) -> None:
        if self._doing:
            sys.stdout.write("\r" + " " * len(self._doing) + "\r")
            self._doing = ""


def _short(value: object) -> str:
    text = ", ".join(f"{count} {name}" for name, count in sorted(value.items())) if isinstance(value, Mapping) else ""
    text = text or str(value if value not in ({}, [], ()) else "nothing")
    return text if len(text) <= 4 * WIDTH else text[: 4 * WIDTH] + " ..."
