"""The trial of a new image before all pods run it."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Directory
from steps.descriptions.serving_settings import RolloutKind
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """A kubeconfig, the image and the address of its version's snapshots, empty if the dataset has no users and items;
    the percentage of pods that try it, and for how long.
    """

    access: TextT
    image: TextT
    snapshots: TextT
    kind: RolloutKind
    percent: int
    seconds: int


class AzureInputs(Inputs[str], Directory):
    """Also the tenant for sign-in."""


class Outputs(StepOutputs):
    """The image that all pods run and its snapshots, the candidate, and the candidate's share of the traffic.

    `weight` is 100 for a candidate that may serve, 0 for one that was withdrawn; `refusal` is the reason.
    """

    stable: str
    stable_snapshots: str
    candidate: str
    weight: int
    refusal: str


AZURE = Description(kind=Kind.ROLLOUT, inputs=AzureInputs, outputs=Outputs)
