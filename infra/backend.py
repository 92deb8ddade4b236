"""What the graph asks of a target. A target adds to each step what it alone knows, and nothing else.

What goes into a step and comes out of it is in `steps.descriptions`; `infra.components` wraps the steps in components
whose names are the same everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol

from pulumi import Output, ResourceOptions

from infra.step_resource import OutputsT_co, StepResource
from steps.descriptions import data_upload, model_registry, model_version, serving_image, training_run
from steps.descriptions.serving_settings import ScoringEngine, ScoringSettings


@dataclass(frozen=True, kw_only=True)
class Declared(Generic[OutputsT_co]):
    """A step that a target has declared.

    `passed_on` are inputs, by name, that the next step has on this target alone; `shown` are outputs of the stack
    beside those that every stack has.
    """

    step: StepResource[OutputsT_co]
    passed_on: Mapping[str, Output[Any]] = field(default_factory=dict)
    shown: Mapping[str, Output[Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScoringServiceArgs:
    """The image to serve and how; `requested` is the version that the settings ask for."""

    registry: Output[str]
    digest: Output[str]
    version: Output[int]
    settings: ScoringSettings
    requested: Literal["latest"] | int


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that answers: its URL, the version behind it and its current key (a secret); `shown` as above."""

    endpoint: Output[str]
    version: Output[int]
    key: Output[str]
    shown: Mapping[str, Output[Any]] = field(default_factory=dict)


class Backend(Protocol):
    """A target. Each method declares what the step needs there; `passed_on` is what the step before passed on."""

    @property
    def shown(self) -> Mapping[str, Output[Any]]:
        """What the stack shows of the target itself."""
        ...

    def open(self, name: str, options: ResourceOptions) -> Declared[model_registry.Outputs]:
        """The registry; only deleting this resource deletes versions, bundles and images."""
        ...

    def upload(self, name: str, inputs: data_upload.Inputs, options: ResourceOptions) -> Declared[data_upload.Outputs]:
        """Bring the dataset in, unless it is there."""
        ...

    def train(self, name: str, inputs: training_run.Inputs, options: ResourceOptions) -> Declared[training_run.Outputs]:
        """Train once for each set of inputs, whatever the gate's verdict."""
        ...

    def register(
        self, name: str, inputs: model_version.Inputs, passed_on: Mapping[str, Output[Any]], options: ResourceOptions
    ) -> Declared[model_version.Outputs]:
        """Register the candidate, or find the version that is asked for; refuse what the gate rejected."""
        ...

    def build(
        self,
        name: str,
        inputs: serving_image.Inputs,
        engine: ScoringEngine,
        passed_on: Mapping[str, Output[Any]],
        options: ResourceOptions,
    ) -> Declared[serving_image.Outputs]:
        """Build the image of this code and this model version, unless it is there."""
        ...

    def serve(
        self, name: str, args: ScoringServiceArgs, passed_on: Mapping[str, Output[Any]], options: ResourceOptions
    ) -> RunningService:
        """Serve the image, and make its version the champion once it answers."""
        ...
