"""The graph's steps on this machine: each is one resource of the steps' provider."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from infra.backend import Declared, RunningService, ScoringServiceArgs
from infra.step_resource import OutputsT_co, StepResource, later
from steps.descriptions import (
    api_key,
    data_upload,
    model_registry,
    model_version,
    scoring_service,
    serving_image,
    training_run,
)
from steps.descriptions.description import Description, StepInputs
from steps.descriptions.serving_settings import ScoringEngine
from steps.kinds import Place


class LocalBackend:
    """All steps of one stack on this machine."""

    def __init__(self, stack: str) -> None:
        """`stack` names the folder that holds everything."""
        self._target = {"stack": stack}
        self.shown: Mapping[str, Output[Any]] = {}

    def open(self, name: str, options: ResourceOptions) -> Declared[model_registry.Outputs]:
        """A folder with MLflow's database, the bundles and the images."""
        return Declared(step=self._step(model_registry.LOCAL, name, model_registry.Inputs(), options))

    def upload(self, name: str, inputs: data_upload.Inputs, options: ResourceOptions) -> Declared[data_upload.Outputs]:
        """A folder of the lake, named by the manifest's hash."""
        return Declared(step=self._step(data_upload.LOCAL, name, inputs, options))

    def train(self, name: str, inputs: training_run.Inputs, options: ResourceOptions) -> Declared[training_run.Outputs]:
        """`python -m training` in a process of its own."""
        return Declared(step=self._step(training_run.LOCAL, name, inputs, options))

    def register(
        self, name: str, inputs: model_version.Inputs, passed_on: Mapping[str, Output[Any]], options: ResourceOptions
    ) -> Declared[model_version.Outputs]:
        """A version in MLflow's registry."""
        del passed_on
        return Declared(step=self._step(model_version.LOCAL, name, inputs, options))

    def build(
        self,
        name: str,
        inputs: serving_image.Inputs,
        engine: ScoringEngine,
        passed_on: Mapping[str, Output[Any]],
        options: ResourceOptions,
    ) -> Declared[serving_image.Outputs]:
        """A folder laid out as the image is, the same for every engine."""
        del engine, passed_on
        return Declared(step=self._step(serving_image.LOCAL, name, inputs, options))

    def serve(
        self, name: str, args: ScoringServiceArgs, passed_on: Mapping[str, Output[Any]], options: ResourceOptions
    ) -> RunningService:
        """Supervised processes on a port of this machine."""
        del passed_on
        rotation = api_key.Inputs.model_construct(registry=later(args.registry), rotation=args.settings.key_rotation)
        key = self._step(api_key.EVERYWHERE, f"{name}-key", rotation, options)
        current = key.output(lambda found: found.current)
        inputs = scoring_service.Inputs.model_construct(
            registry=later(args.registry),
            digest=later(args.digest),
            version=later(args.version),
            settings=args.settings,
            keys=(later(current), later(key.output(lambda found: found.previous))),
        )
        step = self._step(scoring_service.LOCAL, name, inputs, options)
        return RunningService(
            endpoint=step.output(lambda found: found.endpoint),
            version=step.output(lambda found: found.served_version),
            key=current,
        )

    def _step(
        self, description: Description[Any, OutputsT_co], name: str, inputs: StepInputs, options: ResourceOptions
    ) -> StepResource[OutputsT_co]:
        return StepResource(Place.LOCAL, description, name, inputs, target=self._target, options=options)
