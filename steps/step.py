"""A step: a kind of resource with its inputs, its outputs, and what it does.

Each step has a module of its own. `Inputs` are the same here and on Azure; where there are both, `LocalInputs` and
`AzureInputs` add what only one of them knows. `Outputs` are what the step computes. Field names are the names in the
stack's state. The classes after them do the work, with plain Python values, so that tests need no Pulumi engine.

No step imports Azure's SDKs before it runs: the program imports each step that it declares.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

from azure_clients.retries import Context
from features.invalid import allowed
from steps.folders import StackFolder
from tools.paths import state_folder
from training.parameters import Parameters


class Place(StrEnum):
    """Where a step runs, the middle part of its token."""

    LOCAL = "local"
    AZURE = "azure"


class Kind(StrEnum):
    """A step's resource type, the last part of its token. It is in the state of every stack."""

    REGISTRY = "Registry"
    WORKSPACE_READY = "WorkspaceReady"
    CLUSTER_READY = "ClusterReady"
    DATA_UPLOAD = "DataUpload"
    LIBRARIES = "Libraries"
    TRAINING_RUN = "TrainingRun"
    MODEL_VERSION = "ModelVersion"
    SERVING_IMAGE = "ServingImage"
    API_KEY = "ApiKey"
    CERTIFICATE = "Certificate"
    SCORING_SERVICE = "ScoringService"
    CHAMPION = "Champion"


ModelT = TypeVar("ModelT", bound=BaseModel)


class StepInputs(Parameters):
    """Inputs of a step."""


class StepOutputs(Parameters):
    """Outputs of a step. No field may have the name of an input, because the state contains both."""


class _Secret:
    """Marks a field that is encrypted in the state."""


ValueT = TypeVar("ValueT")
Secret = Annotated[ValueT, _Secret()]
InputsT = TypeVar("InputsT", bound=StepInputs)
OutputsT = TypeVar("OutputsT", bound=StepOutputs)


class Stack(StepInputs):
    """The stack's name, which is also the name of its folder."""

    stack: str


State = Mapping[str, Any]
"""A resource's inputs and outputs by name, as plain Python values."""


class UnknownValue:
    """A value that is unknown in a preview. Unequal to everything, so that whatever depends on it counts as changed."""

    def __eq__(self, other: object) -> bool:
        """Never equal."""
        return False

    __hash__ = None  # type: ignore[assignment]  # unequal to itself, so it cannot be a key

    def __repr__(self) -> str:
        """For error messages."""
        return "<not known yet>"


@dataclass(frozen=True)
class Created(Generic[OutputsT]):
    """A new resource: its ID and outputs."""

    id: str
    outputs: OutputsT


@dataclass(frozen=True)
class Difference:
    """Names of changed inputs, and of those that replace the resource."""

    changed: frozenset[str]
    replaces: frozenset[str]


class Step(ABC, Generic[InputsT, OutputsT]):
    """One kind of resource. Every method may be called again after an interruption, and then continues.

    The models of its inputs and outputs are those that a class gives its base. A change of an input in `replaced_by`
    creates a new resource. The old one is deleted after everything else has succeeded.
    """

    place: ClassVar[Place] = Place.LOCAL
    kind: ClassVar[Kind]
    inputs: ClassVar[type[StepInputs]]
    """The model of `InputsT`."""
    outputs: ClassVar[type[StepOutputs]]
    """The model of `OutputsT`."""
    replaced_by: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - Python's own signature
        """Read the models from `class Example(Step[Inputs, Outputs])`."""
        super().__init_subclass__(**options)
        for base in vars(cls).get("__orig_bases__", ()):
            models = get_args(base)
            if models and not isinstance(models[0], TypeVar):
                cls.inputs, cls.outputs = models

    def __init__(self, folder_of: Callable[[str], Path] = state_folder) -> None:
        """`folder_of` returns a stack's folder by name."""
        self._folder_of = folder_of

    @classmethod
    def token(cls) -> str:
        """The resource type, which is in the state of every stack."""
        return f"personalize:{cls.place}:{cls.kind}"

    @classmethod
    def secrets(cls) -> frozenset[str]:
        """Inputs and outputs that are encrypted in the state."""
        fields: dict[str, Any] = {**cls.inputs.model_fields, **cls.outputs.model_fields}
        return frozenset(
            name for name, found in fields.items() if any(isinstance(mark, _Secret) for mark in found.metadata)
        )

    def folder(self, stack: str) -> StackFolder:
        """The folder of `stack`."""
        return StackFolder(self._folder_of(stack))

    def check(self, inputs: State) -> dict[str, str]:
        """Errors by input; unknown values are not checked."""
        try:
            self.parse(inputs)
        except ValidationError as error:
            problems = {str(detail["loc"][0]): allowed(detail) for detail in error.errors()}
            return {name: problem for name, problem in problems.items() if not _holds_unknown(inputs.get(name))}
        return {}

    def diff(self, old: State, new: State) -> Difference:
        """Compare the state of a resource with its new inputs."""
        changed = frozenset(name for name in self.inputs.model_fields if old.get(name) != new.get(name))
        return Difference(changed, changed & self.replaced_by)

    @abstractmethod
    def create(self, inputs: InputsT, context: Context) -> Created[OutputsT]:
        """Create the resource, or reuse what an interrupted run left."""

    def update(self, identity: str, old: State, inputs: InputsT, context: Context) -> OutputsT:
        """Update the resource to these inputs. Not called if the resource is replaced."""
        return self.create(inputs, context).outputs

    def read(self, identity: str, state: State, context: Context) -> OutputsT | None:
        """The actual outputs; None if the resource no longer exists."""
        return self.known(state) if self.exists(identity, state, context) else None

    def exists(self, identity: str, state: State, context: Context) -> bool:
        """Whether the resource is still there, and what it was."""
        return True

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Delete the resource; succeeds if it does not exist. Nothing unless a step has something of its own."""

    def parse(self, inputs: State) -> InputsT:
        """The inputs as their model; raises pydantic's `ValidationError`."""
        return cast("InputsT", _model(self.inputs, inputs))

    def known(self, state: State) -> OutputsT:
        """The outputs in the state."""
        return cast("OutputsT", _model(self.outputs, state))


class AzureStep(Step[InputsT, OutputsT], ABC, Generic[InputsT, OutputsT]):
    """A step on Azure, which keeps what it downloads in the stack's folder."""

    place = Place.AZURE


def after_failure(remedy: str) -> str:
    """The end of the message of a failed step for which the serving cluster waits."""
    return (
        f"The steps after this one, such as the serving cluster, were not created or changed: {remedy}, then run `up` "
        "again."
    )


def _model(model: type[ModelT], values: State) -> ModelT:
    return model.model_validate({name: value for name, value in values.items() if name in model.model_fields})


def _holds_unknown(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return any(_holds_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(_holds_unknown(part) for part in value)
    return isinstance(value, UnknownValue)
