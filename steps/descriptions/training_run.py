"""Step 2: a candidate model, trained once for each set of inputs, whatever the gate's verdict."""

from typing import Any, Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Lake, MachineLearning, Stack
from steps.kinds import Kind
from training.parameters import Dataset, GateParameters, TrainingParameters

MODEL_INPUTS = frozenset({"manifest_hash", "parameters", "gate", "code_hash", "libraries"})
"""The inputs that determine the model."""


class Inputs(StepInputs, Generic[TextT]):
    """Everything that a model depends on, except for the champion that its gate compares it with."""

    registry: TextT
    dataset: Dataset
    location: TextT
    manifest_hash: TextT
    parameters: TrainingParameters
    gate: GateParameters
    code_hash: str
    libraries: dict[str, str]
    """The libraries' locked versions: another version makes another model."""


class LocalInputs(Inputs[str], Stack):
    """In its own process."""


class AzureInputs(Inputs[str], MachineLearning, Lake):
    """By a job on Databricks, with the registry for the champion."""

    databricks_url: str
    databricks_workspace_id: str
    job_id: str
    volumes: str
    """The folder with the stack's volumes on the cluster's machines, `/Volumes/...`."""


class Outputs(StepOutputs):
    """The bundle's path in the stack's folder, its hash, the results, and the proof of who owns the run's folder."""

    bundle: str
    bundle_hash: str
    verdict: dict[str, Any]
    metrics: dict[str, Any]
    report: str
    claim: str


class AzureOutputs(Outputs):
    """The bundle's address in the lake, and the URL of the run's page."""

    bundle_url: str
    run_url: str


LOCAL = Description(
    kind=Kind.TRAINING_RUN,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=MODEL_INPUTS | {"stack"},
)
AZURE = Description(
    kind=Kind.TRAINING_RUN,
    inputs=AzureInputs,
    outputs=AzureOutputs,
    replaced_by=MODEL_INPUTS | {"stack"},
)
