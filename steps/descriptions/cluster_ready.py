"""A cluster that lets the deployer in and has what its add-ons bring."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Directory
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """A cluster: the Resource Manager's id, and the kubeconfig that Azure gives for it, in base64."""

    cluster_id: TextT
    kubeconfig: TextT


class AzureInputs(Inputs[str], Directory):
    """And where to sign in."""


class Outputs(StepOutputs):
    """A kubeconfig without any secret."""

    access: str


AZURE = Description(
    kind=Kind.CLUSTER_READY,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"cluster_id"}),
)
