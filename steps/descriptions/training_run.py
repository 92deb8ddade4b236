"""Step 2: a candidate, trained once for each set of inputs, whatever the gate's verdict."""

from typing import Any, Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Lake, MachineLearning, Stack
from steps.kinds import Kind
from training.parameters import Dataset, GateParameters, TrainingParameters

MODEL_INPUTS = frozenset({"manifest_hash", "parameters", "gate", "code_hash", "libraries"})
"""The inputs whose change makes another model."""


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
    """In a process of its own."""


class AzureInputs(Inputs[str], MachineLearning, Lake):
    """By a job on Databricks, beside the registry with the champion."""

    databricks_url: str
    databricks_workspace_id: str
    job_id: str
    volume: str
    """Where all machines of the cluster see the same files, `/Volumes/...`; empty for a cluster of one."""


class Outputs(StepOutputs):
    """Where the bundle lies in the stack's folder, its hash, what was found, and whose the run's folder is."""

    bundle: str
    bundle_hash: str
    verdict: dict[str, Any]
    metrics: dict[str, Any]
    report: str
    claim: str


class AzureOutputs(Outputs):
    """The bundle in the lake, and the run's page."""

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
