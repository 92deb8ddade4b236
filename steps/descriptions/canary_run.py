"""A small training run, before anything that is costly: do libraries, wheel, lake and cluster work together?"""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import Lake
from steps.kinds import Kind


class Inputs(StepInputs):
    """What is tried, by name, such as the wheel's hash and the size of a machine: another value needs another run."""

    tried: dict[str, str]


class AzureInputs(Inputs, Lake):
    """The job that tries it, and the lake that it reads and writes."""

    databricks_url: str
    databricks_workspace_id: str
    job_id: str
    volume: str
    """Where all machines of the cluster see the same files, `/Volumes/...`; empty for a cluster of one."""


class Outputs(StepOutputs):
    """The run's page."""

    canary_url: str


AZURE = Description(
    kind=Kind.CANARY_RUN,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "tried", "blob_endpoint", "databricks_workspace_id"}),
)
