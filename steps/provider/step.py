"""A step as the provider sees it: a class that handles plain Python values, so that tests need no Pulumi engine."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from features.errors import PersonalizationError
from steps.descriptions.description import Description, InputsT, OutputsT

ModelT = TypeVar("ModelT", bound=BaseModel)
State = Mapping[str, Any]
"""A resource's inputs and outputs by name, as plain Python values."""


class StepCancelledError(PersonalizationError):
    """The user interrupted the run; the next one continues from what is finished."""


class UnknownValue:
    """A value that is unknown in a preview. Unequal to everything, so that whatever depends on it counts as changed."""

    def __eq__(self, other: object) -> bool:
        """Never equal."""
        return False

    __hash__ = None  # type: ignore[assignment]  # unequal to itself, so it cannot be a key

    def __repr__(self) -> str:
        """For error messages."""
        return "<not known yet>"


@dataclass(frozen=True)
class Context:
    """For a running step: shows progress next to its resource, and tells it when the user has pressed Ctrl-C."""

    report: Callable[[str], None]
    cancelled: threading.Event = field(default_factory=threading.Event)

    def raise_if_cancelled(self) -> None:
        """Raise `StepCancelledError` once the user has pressed Ctrl-C."""
        if self.cancelled.is_set():
            raise StepCancelledError("Interrupted. Run `up` again to continue from what is finished.")


@dataclass(frozen=True)
class Created(Generic[OutputsT]):
    """A new resource: its ID and outputs."""

    id: str
    outputs: OutputsT


@dataclass(frozen=True)
class Difference:
    """Names of changed inputs, and of those that replace the resource."""

    changed: frozenset[str]
    replaces: frozenset[str]


class Step(ABC, Generic[InputsT, OutputsT]):
    """One kind of resource. Every method may be called again after an interruption, and then continues."""

    description: ClassVar[Description[Any, Any]]
    """The step's description, for `InputsT` and `OutputsT`."""

    def check(self, inputs: State) -> dict[str, str]:
        """Errors by input; unknown values are not checked."""
        try:
            self.parse(inputs)
        except ValidationError as error:
            problems = {str(detail["loc"][0]): detail["msg"] for detail in error.errors()}
            return {name: problem for name, problem in problems.items() if not _holds_unknown(inputs.get(name))}
        return {}

    def diff(self, old: State, new: State) -> Difference:
        """Compare the state of a resource with its new inputs."""
        changed = frozenset(name for name in self.description.inputs.model_fields if old.get(name) != new.get(name))
        return Difference(changed, changed & self.description.replaced_by)

    @abstractmethod
    def create(self, inputs: InputsT, context: Context) -> Created[OutputsT]:
        """Create the resource, or reuse what an interrupted run left."""

    def update(self, identity: str, old: State, inputs: InputsT, context: Context) -> OutputsT:
        """Update the resource to these inputs. Not called if the resource is replaced."""
        del identity, old
        return self.create(inputs, context).outputs

    def read(self, identity: str, state: State, context: Context) -> OutputsT | None:
        """The actual outputs; None if the resource no longer exists."""
        del identity, context
        return self.known(state)

    @abstractmethod
    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the resource; succeeds if it does not exist."""

    def parse(self, inputs: State) -> InputsT:
        """The inputs as their model; raises pydantic's `ValidationError`."""
        return cast("InputsT", _model(self.description.inputs, inputs))

    def known(self, state: State) -> OutputsT:
        """The outputs in the state."""
        return cast("OutputsT", _model(self.description.outputs, state))


def _model(model: type[ModelT], values: State) -> ModelT:
    return model.model_validate({name: value for name, value in values.items() if name in model.model_fields})


def _holds_unknown(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return any(_holds_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(_holds_unknown(part) for part in value)
    return isinstance(value, UnknownValue)
