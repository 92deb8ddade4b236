"""What a stage is: something that is done on the subscription, and looks at what Azure made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from features.errors import PersonalizationError
from personalize.verify.bench import Bench


class StageFailedError(PersonalizationError):
    """A stage that did not come to what it is for."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What Azure answered, and whether that is what the simulation assumes; None where it could not be seen."""

    holds: bool | None
    answer: str


Act = Callable[[Bench], str]
"""Does the stage's work; returns a sentence about it. It can be called again after a failure, and goes on."""
Look = Callable[[Bench], Seen]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage. `minutes` is what it may take on Azure, from documentation, not from a run."""

    name: str
    title: str
    minutes: str
    act: Act
    looks: Mapping[str, Look] = field(default_factory=dict)
    """Looks by the id of the assumption (`assumptions.yaml`)."""
    changes: bool = False
    """Whether it makes, changes or deletes something on Azure, and so costs money."""
    trains: bool = False
    """Whether it costs a run on machines of its own, and leaves the stack as it is: a stack in use may have it."""
