"""Waits until the deployer has access to the cluster and its add-ons are installed."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Directory
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """A cluster: its resource ID, and Azure's kubeconfig for it, in base64."""

    cluster_id: TextT
    kubeconfig: TextT


class AzureInputs(Inputs[str], Directory):
    """Also the tenant for sign-in."""


class Outputs(StepOutputs):
    """A kubeconfig without any secret."""

    access: str


AZURE = Description(
    kind=Kind.CLUSTER_READY,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"cluster_id"}),
)
