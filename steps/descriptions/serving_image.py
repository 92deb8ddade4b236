"""Steps 4 and 5: the serving code and one model version in an image, named by the digest of its content."""

from typing import Generic

from steps.descriptions.description import Description, NumberT, StepInputs, StepOutputs, TextT
from steps.descriptions.places import ContainerRegistry, Lake, Stack
from steps.kinds import Kind


class Inputs(StepInputs, Generic[TextT, NumberT]):
    """A model version, the hash of the serving code, 64 hexadecimal digits, and its libraries' locked versions."""

    registry: TextT
    version: NumberT
    bundle_hash: TextT
    code_hash: str
    libraries: dict[str, str]


class LocalInputs(Inputs[str, int], Stack):
    """A folder that is laid out as the image is."""


class AzureInputs(Inputs[str, int], ContainerRegistry, Lake):
    """In a container registry, with the bundle from the lake."""

    bundle_url: str
    target: str
    """Stage of the recipe: the engine, and `-traces` behind it where requests are traced."""
    private: bool
    """Whether the registry answers its network alone. ACR Tasks, which build elsewhere, are kept out too."""


class Outputs(StepOutputs):
    """`sha256:` and 64 hexadecimal digits."""

    digest: str


class AzureOutputs(Outputs):
    """The whole reference, `HOST/NAME@sha256:...`."""

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
