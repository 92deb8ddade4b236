"""A Databricks workspace that lets the deployer in."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Directory
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """A workspace: the Resource Manager's id, and its host as Azure gives it, without a scheme."""

    workspace_id: TextT
    workspace_host: TextT
    workers: bool
    """Whether clusters have workers, which need more of Unity Catalog."""


class AzureInputs(Inputs[str], Directory):
    """And where to sign in."""


class Outputs(StepOutputs):
    """The workspace's URL, and the metastore that is assigned to it."""

    url: str
    metastore: str


AZURE = Description(
    kind=Kind.WORKSPACE_READY,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"workspace_id", "workspace_host"}),
)
