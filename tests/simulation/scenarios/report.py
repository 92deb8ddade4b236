"""What the scenarios find out: sentences that hold or miss, figures, and a line for everything while it happens."""

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
    """The findings, in order. Nothing raises: the run goes on and says everything that missed."""

    targets: list[Target] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _doing: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything that was wanted is so."""
        return all(target.holds for target in self.targets)

    def want(self, name: str, wanted: object, found: object) -> None:
        """`found` must equal `wanted`; what differs is shown at once."""
        holds = wanted == found
        number = found if isinstance(found, int | float) else int(holds)
        self.targets.append(Target(name=name, target=_short(wanted), measured=float(number), holds=holds))
        self.line(f"  {'yes' if holds else 'NO '} {name}: {_short(found)}{'' if holds else f', not {_short(wanted)}'}")

    def note(self, name: str, value: object) -> None:
        """Keep a figure that nothing is asked of."""
        self.figures[name] = value
        self.line(f"      {name}: {value}")

    def line(self, text: str) -> None:
        """Print a line with the time since the start."""
        self._clear()
        sys.stdout.write(f"{time.monotonic() - self.started:6.0f} s {text}\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Show what is being done, on a terminal alone: the next line takes its place."""
        if sys.stdout.isatty():
            self._clear()
            self._doing = f"         {self._title}: {text}".replace("\n", " ")[:WIDTH]
            sys.stdout.write(self._doing)
            sys.stdout.flush()

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """One part of the run, with its seconds; what it did not foresee is a miss, and the run goes on."""
        self._title = title
        self.line(title)
        started = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other stages are worth their time
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
