"""A build of a tiny image on the same bases, before anything that is billed by the hour."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import ContainerRegistry
from steps.kinds import Kind


class Inputs(StepInputs):
    """The base images by digest, and whether the registry has no public access, which also excludes ACR Tasks."""

    bases: tuple[str, ...]
    private: bool


class AzureInputs(Inputs, ContainerRegistry):
    """Also the container registry."""


class Outputs(StepOutputs):
    """The digest of what was built."""

    trial_digest: str


AZURE = Description(
    kind=Kind.BUILD_TRIAL,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "registry_name", "bases"}),
)
