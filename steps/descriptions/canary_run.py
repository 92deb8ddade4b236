"""A small training run before anything expensive, which tests that libraries, wheel, lake and cluster work together."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import Lake, MachineLearning
from steps.kinds import Kind


class Inputs(StepInputs):
    """The tested values by name, such as the wheel's hash and the VM size: a new value needs a new run."""

    tried: dict[str, str]


class AzureInputs(Inputs, Lake, MachineLearning):
    """The job, the lake that it reads and writes, and the registry in which a trial model is registered."""

    databricks_url: str
    databricks_workspace_id: str
    job_id: str
    volume: str
    """Path of files that all machines of the cluster share, `/Volumes/...`; empty for a single-node cluster."""


class Outputs(StepOutputs):
    """The URL of the run's page."""

    canary_url: str


AZURE = Description(
    kind=Kind.CANARY_RUN,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "tried", "blob_endpoint", "databricks_workspace_id"}),
)
