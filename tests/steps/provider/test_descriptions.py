"""Step descriptions: which ones are invalid, and which fields are secret."""

import pytest

from steps.descriptions.description import Description, Secret, StepInputs, StepOutputs
from steps.kinds import Kind


class Inputs(StepInputs):
    """Inputs of a step, one of them secret."""

    place: str
    keys: Secret[tuple[str, str]]


class Outputs(StepOutputs):
    """Outputs of the step, one of them secret."""

    found: str
    token: Secret[str]


class Twice(StepOutputs):
    """Outputs with a name that an input has too."""

    place: str


def test_inputs_and_outputs_that_are_marked_are_its_secrets() -> None:
    assert Description(kind=Kind.REGISTRY, inputs=Inputs, outputs=Outputs).secrets == {"keys", "token"}


def test_a_value_is_either_given_or_computed() -> None:
    with pytest.raises(TypeError, match=r"computed and given: \['place'\]"):
        Description(kind=Kind.REGISTRY, inputs=Inputs, outputs=Twice)


def test_only_an_input_can_make_a_new_resource() -> None:
    with pytest.raises(TypeError, match=r"no inputs: \['found'\]"):
        Description(kind=Kind.REGISTRY, inputs=Inputs, outputs=Outputs, replaced_by=frozenset({"found"}))
