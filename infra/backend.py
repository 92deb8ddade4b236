"""What the graph asks of a target: five small protocols, with what goes in and what comes out of each step.

A target implements them with resources of its own; `infra.components` wraps those in components whose names are the
same everywhere.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pulumi import Input, Output, ResourceOptions

from steps.shared.serving_settings import ScoringSettings
from training.parameters import Dataset, GateParameters, TrainingParameters


@dataclass(frozen=True, kw_only=True)
class DataUploadArgs:
    """A dataset and the hash of its manifest, 64 hexadecimal digits, which says whether the data changed."""

    registry: Input[str]
    dataset: Dataset
    manifest_hash: str


@dataclass(frozen=True, kw_only=True)
class UploadedData:
    """Where the data lies, in the target's own terms."""

    location: Output[str]
    manifest_hash: Output[str]


@dataclass(frozen=True, kw_only=True)
class TrainingRunArgs:
    """Everything that a model depends on."""

    registry: Input[str]
    dataset: Dataset
    location: Input[str]
    manifest_hash: Input[str]
    parameters: TrainingParameters
    gate: GateParameters
    code_hash: str


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A candidate: where its bundle lies and the bundle's hash, 64 hexadecimal digits."""

    bundle: Output[str]
    bundle_hash: Output[str]


@dataclass(frozen=True, kw_only=True)
class ModelVersionArgs:
    """The candidate, and which version is wanted: the newest accepted one, or a number."""

    registry: Input[str]
    bundle: Input[str]
    bundle_hash: Input[str]
    requested: Literal["latest"] | int


@dataclass(frozen=True, kw_only=True)
class RegisteredModel:
    """The version to serve, with the metrics of its evaluation and where its report lies."""

    version: Output[int]
    bundle_hash: Output[str]
    metrics: Output[dict[str, Any]]
    report: Output[str]


@dataclass(frozen=True, kw_only=True)
class ServingImageArgs:
    """A model version, the engine that scores with it, and the hash of the serving code, 64 hexadecimal digits."""

    registry: Input[str]
    version: Input[int]
    bundle_hash: Input[str]
    engine: str
    code_hash: str


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image, named by the digest of its content: `sha256:` and 64 hexadecimal digits."""

    digest: Output[str]


@dataclass(frozen=True, kw_only=True)
class ScoringServiceArgs:
    """The image to serve and how."""

    registry: Input[str]
    digest: Input[str]
    version: Input[int]
    settings: ScoringSettings


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that answers: its URL, the version behind it and its current key (a secret)."""

    endpoint: Output[str]
    version: Output[int]
    key: Output[str]


class DataStore(Protocol):
    """Where the training data lies."""

    def upload(self, name: str, args: DataUploadArgs, options: ResourceOptions) -> UploadedData:
        """Bring the dataset in, unless it is there."""
        ...


class Trainer(Protocol):
    """What turns data into a model."""

    def train(self, name: str, args: TrainingRunArgs, options: ResourceOptions) -> TrainedModel:
        """Train once for each set of arguments, whatever the gate's verdict."""
        ...


class ModelRegistry(Protocol):
    """What owns the model versions, their bundles and the images."""

    def open(self, name: str, options: ResourceOptions) -> Output[str]:
        """The registry's name; only deleting this resource deletes versions, bundles and images."""
        ...

    def register(self, name: str, args: ModelVersionArgs, options: ResourceOptions) -> RegisteredModel:
        """Register the candidate, or find the version that is asked for; refuse what the gate rejected."""
        ...


class ImageBuilder(Protocol):
    """What puts the serving code and a model into an image."""

    def build(self, name: str, args: ServingImageArgs, options: ResourceOptions) -> BuiltImage:
        """Build the image of this code and this model version, unless it is there."""
        ...


class ModelService(Protocol):
    """What runs an image as a service."""

    def serve(self, name: str, args: ScoringServiceArgs, options: ResourceOptions) -> RunningService:
        """Serve the image, and make its version the champion once it answers."""
        ...


class Backend(DataStore, Trainer, ModelRegistry, ImageBuilder, ModelService, Protocol):
    """All of a target."""

    outputs: dict[str, Output[Any]]
    """What the stack shows beside what every stack does, once all steps are declared."""
