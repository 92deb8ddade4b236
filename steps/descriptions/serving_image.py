"""Steps 4 and 5: an image with the serving code and one model version, named by the digest of its content."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, StepInputs, StepOutputs, TextT
from steps.descriptions.places import ContainerRegistry, Lake, Stack
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """A model version, the hash of the serving code (64 hexadecimal digits), and its libraries' locked versions."""

    registry: TextT
    version: NumberT
    bundle_hash: TextT
    code_hash: str
    libraries: dict[str, str]


class LocalInputs(Inputs[str, int], Stack):
    """A folder with the image's layout."""


class AzureInputs(Inputs[str, int], ContainerRegistry, Lake):
    """In a container registry, with the bundle from the lake."""

    bundle_url: str
    target: str
    """Stage of the Dockerfile: the engine."""
    private: bool
    """Whether the registry has no public access, which also excludes ACR Tasks."""


class Outputs(StepOutputs):
    """`sha256:` and 64 hexadecimal digits."""

    digest: str


class AzureOutputs(Outputs):
    """The full reference, `HOST/NAME@sha256:...`."""

    image: str


LOCAL = Description(
    kind=Kind.SERVING_IMAGE,
    inputs=LocalInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "version", "bundle_hash", "code_hash", "libraries"}),
)
AZURE = Description(
    kind=Kind.SERVING_IMAGE,
    inputs=AzureInputs,
    outputs=AzureOutputs,
    replaced_by=frozenset({"stack", "registry_name", "version", "bundle_hash", "target", "code_hash", "libraries"}),
)
