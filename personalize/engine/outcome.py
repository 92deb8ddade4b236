"""What an operation of the engine on a stack did."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from personalize.engine.events import Change, StepUpdate

OnStep = Callable[[StepUpdate], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an operation did."""

    changes: dict[str, int]
    """Resources by the engine's word for what happened to them."""
    steps: dict[str, str]
    """The engine's word for what happened, by step."""
    outputs: dict[str, Any]
    """The stack's outputs in clear text."""
    secret: frozenset[str]
    """The names of the outputs that must not be shown."""
    seconds: float
    resources: tuple[Change, ...] = ()
    """What happened, or would happen, to each resource that did not stay as it was."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """The engine's own note of an operation."""

    kind: str
    result: str
    started: datetime
