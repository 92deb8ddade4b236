"""The service's certificate, from its own certificate authority."""

from steps.descriptions.description import Description, Secret, StepInputs, StepOutputs
from steps.descriptions.places import Stack
from steps.kinds import Kind


class Inputs(StepInputs):
    """The certificate's host name."""

    host: str


class AzureInputs(Inputs, Stack):
    """Stored only in the stack's state, so no sign-in is needed."""


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
