"""The last step: the mark of the version that serves, and the reason if that is not what was asked for."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Lake, MachineLearning, Stack
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """The version that serves."""

    version: NumberT
    refusal: TextT
    """Why it is not the candidate, which the gate rejected; else empty."""


class LocalInputs(Inputs[str, int], Stack):
    """On this machine."""


class AzureInputs(Inputs[str, int], MachineLearning, Lake):
    """Also the Azure ML workspace, and the lake with the snapshots."""


class Outputs(StepOutputs):
    """The tagged version."""

    champion: int


LOCAL = Description(
    kind=Kind.CHAMPION,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack"}),
)
AZURE = Description(
    kind=Kind.CHAMPION,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "workspace"}),
)
