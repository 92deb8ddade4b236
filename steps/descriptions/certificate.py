"""The service's certificate, from an authority that clients trust for it alone."""

from steps.descriptions.description import Description, Secret, StepInputs, StepOutputs
from steps.descriptions.places import Stack
from steps.kinds import Kind


class Inputs(StepInputs):
    """The host that the certificate is for."""

    host: str


class AzureInputs(Inputs, Stack):
    """In the stack's state alone: nobody signs in anywhere."""


class Outputs(StepOutputs):
    """All PEM."""

    authority: str
    certificate: str
    private_key: Secret[str]


AZURE = Description(
    kind=Kind.CERTIFICATE,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "host"}),
)
