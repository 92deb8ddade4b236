"""Step 3: a version number for the candidate, or the version that the settings request."""

from typing import Any, Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Lake, MachineLearning, Stack
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """A candidate's bundle; and `latest`, or the number of an older version to serve instead."""

    registry: TextT
    bundle: TextT
    bundle_hash: TextT
    requested: str


class LocalInputs(Inputs[str], Stack):
    """In MLflow's registry."""


class AzureInputs(Inputs[str], MachineLearning, Lake):
    """In Azure ML, with the bundle in the lake, and its lineage."""

    bundle_url: str
    data_url: str
    run_url: str


class Outputs(StepOutputs):
    """The version to serve, its bundle's hash, the metrics of its evaluation, and the path of its report.

    `refusal` is the reason if it is not the candidate, because the gate rejected that; else empty.
    """

    version: int
    served_hash: str
    metrics: dict[str, Any]
    report: str
    refusal: str


class AzureOutputs(Outputs):
    """Its bundle in the lake."""

    served_url: str


LOCAL = Description(
    kind=Kind.MODEL_VERSION,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "bundle_hash", "requested"}),
)
AZURE = Description(
    kind=Kind.MODEL_VERSION,
    inputs=AzureInputs,
    outputs=AzureOutputs,
    replaced_by=frozenset({"stack", "workspace", "bundle_hash", "requested"}),
)
