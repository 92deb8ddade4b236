"""Waits until the deployer has access to the Databricks workspace."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Directory
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """A workspace: its resource ID, and its host without a scheme."""

    workspace_id: TextT
    workspace_host: TextT


class AzureInputs(Inputs[str], Directory):
    """Also the tenant for sign-in."""


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
