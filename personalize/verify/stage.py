"""A stage: an action on the subscription, and checks of Azure's response."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from features.errors import PersonalizationError
from personalize.verify.bench import Bench


class StageFailedError(PersonalizationError):
    """A stage did not reach its goal."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Azure's response, and whether the assumption holds; None if that could not be seen."""

    holds: bool | None
    answer: str


Act = Callable[[Bench], str]
"""Does the stage's work, and returns a sentence about it. After a failure it can be called again."""
Look = Callable[[Bench], Seen]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage. `minutes` is its expected time on Azure, according to the documentation."""

    name: str
    title: str
    minutes: str
    act: Act
    looks: Mapping[str, Look] = field(default_factory=dict)
    """Checks by the ID of the assumption (`assumptions.yaml`)."""
    changes: bool = False
    """Whether it creates, changes or deletes something on Azure, and so costs money."""
    trains: bool = False
    """Whether it costs a run on machines of its own, without changing the stack. It may run on a stack in use."""
