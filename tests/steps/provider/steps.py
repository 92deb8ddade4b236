"""Calls of a step, as the provider makes them."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from azure_clients.retries import Context, Timeout
from steps.step import Created, State, Step

STACK = "test"
BASE = {"stack": STACK, "registry": "ctr"}
HASH = "a" * 64
SHORT = Timeout(seconds=1, pause=0.05)
LONG = Timeout(seconds=60, pause=0.05)


@dataclass
class Recorder:
    """A step's context, and the lines that the step reported."""

    lines: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    timeout: Timeout = LONG

    @property
    def context(self) -> Context:
        return Context(self.lines.append, self.cancelled, self.timeout)


def create(step: Step[Any, Any], inputs: State, recorder: Recorder) -> Created[Any]:
    """Create the resource as the provider does."""
    return step.create(step.parse(inputs), recorder.context)


def state(inputs: State, created: Created[Any]) -> State:
    """A resource's state as the engine stores it."""
    return {**inputs, **created.outputs.model_dump()}


@dataclass(frozen=True)
class Taken:
    """The resource of a step that was taken."""

    step: Step[Any, Any]
    inputs: State
    created: Created[Any]
    recorder: Recorder

    @property
    def id(self) -> str:
        return self.created.id

    @property
    def outputs(self) -> Any:
        return self.created.outputs

    def read(self) -> Any:
        """What a refresh finds; None if the resource is gone."""
        return self.step.read(self.id, state(self.inputs, self.created), self.recorder.context)

    def delete(self) -> None:
        self.step.delete(self.id, state(self.inputs, self.created), self.recorder.context)


@dataclass(frozen=True)
class Take:
    """Takes steps with a recorder, in the folders of stacks below `path`."""

    path: Path
    recorder: Recorder

    def __call__(self, kind: type[Step[Any, Any]], inputs: State) -> Taken:
        """Take a step of this kind."""
        step = kind(lambda stack: self.path / stack)
        return Taken(step, inputs, create(step, inputs, self.recorder), self.recorder)

    def at(self, path: Path) -> "Take":
        """The same elsewhere."""
        return replace(self, path=path)
