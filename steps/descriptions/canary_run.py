"""A small training run before anything expensive, which tests that libraries, wheel, lake and cluster work together."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import Lake, MachineLearning
from steps.kinds import Kind
from training.parameters import Fit


class Inputs(StepInputs):
    """The tested values by name, such as the wheel's hash and the VM size: a new value needs a new run."""

    tried: dict[str, str]


class AzureInputs(Inputs, Lake, MachineLearning):
    """The job, the lake that it reads and writes, and the registry in which a trial model is registered."""

    databricks_url: str
    databricks_workspace_id: str
    job_id: str
    volumes: str
    """The folder with the stack's volumes on the cluster's machines, `/Volumes/...`."""
    fit: Fit
    """How the stack's models are fitted."""


class Outputs(StepOutputs):
    """The URL of the run's page."""

    canary_url: str


AZURE = Description(
    kind=Kind.CANARY_RUN,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "tried", "blob_endpoint", "databricks_workspace_id"}),
)
