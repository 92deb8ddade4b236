"""The mark of the version that serves."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, StepInputs, StepOutputs, TextT
from steps.descriptions.places import MachineLearning
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """The version that serves, and the image that proves it: this step comes after the rollout of that image."""

    version: NumberT
    image: TextT


class AzureInputs(Inputs[str, int], MachineLearning):
    """And the Azure ML workspace."""

    refusal: str = ""
    """Why the image was taken back; empty where it was not."""


class Outputs(StepOutputs):
    """The version that is marked."""

    champion: int


AZURE = Description(
    kind=Kind.CHAMPION,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "workspace"}),
)
