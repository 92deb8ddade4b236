"""The mark of the version that serves."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import MachineLearning
from steps.kinds import Kind


class Inputs(StepInputs):
    """The version that serves, and the image that proves it: this step comes after the rollout of that image.

    `refusal` is why that image was taken back, empty where it was not.
    """

    version: int
    image: str
    refusal: str = ""


class AzureInputs(Inputs, MachineLearning):
    """And the Azure ML workspace."""


class Outputs(StepOutputs):
    """The version that is marked."""

    champion: int


AZURE = Description(
    kind=Kind.CHAMPION,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "workspace"}),
)
