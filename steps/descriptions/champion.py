"""The tag of the version that serves."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Lake, MachineLearning
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """The version that serves, and its image, so that this step runs after the rollout of that image."""

    version: NumberT
    image: TextT


class AzureInputs(Inputs[str, int], MachineLearning, Lake):
    """Also the Azure ML workspace, and the lake with the snapshots."""

    refusal: str = ""
    """Why the image was withdrawn; empty if it was not."""


class Outputs(StepOutputs):
    """The tagged version."""

    champion: int


AZURE = Description(
    kind=Kind.CHAMPION,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "workspace"}),
)
