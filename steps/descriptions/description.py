"""The description of a step."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import ConfigDict

from steps.kinds import Kind
from training.parameters import Parameters

TextT = TypeVar("TextT")
NumberT = TypeVar("NumberT")
"""Types of inputs that another resource computes: `str` and `int` in a step, `Output[str]` and `Output[int]` in the
graph, where the values are not known yet."""


class StepInputs(Parameters):
    """Inputs of a step."""

    model_config = ConfigDict(arbitrary_types_allowed=True)  # for Pulumi's `Output`


class StepOutputs(Parameters):
    """Outputs of a step. No field may have the name of an input, because the state contains both."""


class _Secret:
    """Marks a field that is encrypted in the state."""


ValueT = TypeVar("ValueT")
Secret = Annotated[ValueT, _Secret()]
InputsT = TypeVar("InputsT", bound=StepInputs)
OutputsT = TypeVar("OutputsT", bound=StepOutputs)


@dataclass(frozen=True, kw_only=True)
class Description(Generic[InputsT, OutputsT]):
    """A kind of step at one place. A change of an input in `replaced_by` creates a new resource.

    The old resource is deleted after everything else has succeeded. Raises `TypeError` for conflicting or unknown
    names.
    """

    kind: Kind
    inputs: type[InputsT]
    outputs: type[OutputsT]
    replaced_by: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        """Check the names."""
        twice = self.inputs.model_fields.keys() & self.outputs.model_fields.keys()
        unknown = self.replaced_by - self.inputs.model_fields.keys()
        if twice or unknown:
            raise TypeError(f"{self.kind}: computed and given: {sorted(twice)}; no inputs: {sorted(unknown)}")

    @property
    def secrets(self) -> frozenset[str]:
        """Inputs and outputs that are encrypted in the state."""
        fields: dict[str, Any] = {**self.inputs.model_fields, **self.outputs.model_fields}
        return frozenset(
            name for name, found in fields.items() if any(isinstance(mark, _Secret) for mark in found.metadata)
        )
