"""What the clusters of the training job install, in the lake before they need it."""

from steps.descriptions.description import Description, StepInputs, StepOutputs
from steps.descriptions.places import Lake
from steps.kinds import Kind
from training.parameters import EngineName


class Inputs(StepInputs):
    """What trains, and hashes of the project's wheel and of all other files."""

    engine: EngineName
    wheel: str
    packages: str


class AzureInputs(Inputs, Lake):
    """The lake, and its volumes on a cluster."""

    volumes: str


class Outputs(StepOutputs):
    """The folder with the project's wheel, in the volume for libraries."""

    libraries_folder: str


AZURE = Description(
    kind=Kind.LIBRARIES,
    inputs=AzureInputs,
    outputs=Outputs,
    replaced_by=frozenset({"stack", "blob_endpoint", "wheel", "packages", "volumes"}),
)
