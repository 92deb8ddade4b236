"""The service's API keys: the current and the previous one."""

from typing import Generic

from steps.descriptions.description import Description, Secret, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Stack
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """Each new value of `rotation` creates a new key."""

    registry: TextT
    rotation: int


class LocalInputs(Inputs[str], Stack):
    """The same on every target: the keys are stored only in the stack's state."""


class Outputs(StepOutputs):
    """The previous key is empty at first."""

    current: Secret[str]
    previous: Secret[str]


EVERYWHERE = Description(
    kind=Kind.API_KEY,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack"}),
)
