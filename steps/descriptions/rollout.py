"""The trial of a new image before all pods run it."""

from typing import Generic

from steps.descriptions.description import Description, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Directory
from steps.descriptions.serving_settings import RolloutKind
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT]):
    """How the cluster is reached, the image, and which share of the pods tries it for how long."""

    access: TextT
    image: TextT
    kind: RolloutKind
    percent: int
    seconds: int


class AzureInputs(Inputs[str], Directory):
    """And where to sign in."""


class Outputs(StepOutputs):
    """The image that all pods run, the candidate, and the percentage of the requests that the trial gave it.

    `weight` is 100 for a candidate that may serve, 0 for one that was taken back; `refusal` then says why.
    """

    stable: str
    candidate: str
    weight: int
    refusal: str


AZURE = Description(kind=Kind.ROLLOUT, inputs=AzureInputs, outputs=Outputs)
