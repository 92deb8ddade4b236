"""The owner of versions, bundles and images."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import MachineLearning, Stack
from steps.kinds import Kind


class Inputs(StepInputs):
    """Only what the target adds."""


class LocalInputs(Inputs, Stack):
    """In the stack's folder."""


class AzureInputs(Inputs, MachineLearning):
    """In an Azure ML workspace."""


class Outputs(StepOutputs):
    """The registered model's name."""

    registry: str


LOCAL = Description(
    kind=Kind.REGISTRY,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack"}),
)
AZURE = Description(
    kind=Kind.REGISTRY,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "subscription", "resource_group", "workspace"}),
)
