"""The result of an operation of the engine on a stack."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from personalize.engine.events import Change, StepUpdate

OnStep = Callable[[StepUpdate], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of an operation."""

    changes: dict[str, int]
    """Number of resources by the engine's operation."""
    steps: dict[str, str]
    """The engine's operation by step."""
    outputs: dict[str, Any]
    """The stack's outputs in clear text."""
    secret: frozenset[str]
    """Names of the secret outputs."""
    seconds: float
    resources: tuple[Change, ...] = ()
    """The change of each resource that changed or would change."""
    data_read: bool = True
    """False for a plan with the data as the last update listed it."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """The engine's record of an operation."""

    kind: str
    result: str
    started: datetime
    """In UTC, without a time zone."""
