"""The record of an image in Azure ML."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, StepInputs, StepOutputs, TextT
from steps.descriptions.places import MachineLearning
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """An image by its digest, `HOST/NAME@sha256:...`, and the model version in it."""

    image: TextT
    version: NumberT


class AzureInputs(Inputs[str, int], MachineLearning):
    """Also the Azure ML workspace."""


class Outputs(StepOutputs):
    """Its name and version in Azure ML, `NAME:VERSION`."""

    environment: str


AZURE = Description(
    kind=Kind.ENVIRONMENT,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "workspace", "image"}),
)
