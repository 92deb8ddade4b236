"""Step 7 on this machine: supervised processes on a port. On Azure, Kubernetes objects replace it."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, Secret, StepInputs, StepOutputs, TextT
from steps.descriptions.places import Stack
from steps.descriptions.serving_settings import ScoringSettings
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """The image to serve, its model version and bundle, and the valid API keys, the current one first."""

    registry: TextT
    digest: TextT
    version: NumberT
    bundle_hash: TextT
    settings: ScoringSettings
    keys: Secret[tuple[TextT, TextT]]


class LocalInputs(Inputs[str, int], Stack):
    """On this machine."""

    certificate_hash: str | None = None
    """Of the file `settings.tls_certificate`, so that a replaced certificate is served; None without TLS."""


class Outputs(StepOutputs):
    """The URL, the served version, and whether it responds."""

    endpoint: str
    served_version: int
    status: str


LOCAL = Description(
    kind=Kind.SCORING_SERVICE,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack"}),
)
