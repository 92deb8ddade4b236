"""The record of an image in Azure ML."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import MachineLearning
from steps.kinds import Kind


class Inputs(StepInputs):
    """An image by its digest, `HOST/NAME@sha256:...`, and the model version in it."""

    image: str
    version: int


class AzureInputs(Inputs, MachineLearning):
    """And the Azure ML workspace."""


class Outputs(StepOutputs):
    """Its name and version there, `NAME:VERSION`."""

    environment: str


AZURE = Description(
    kind=Kind.ENVIRONMENT,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "workspace", "image"}),
)
