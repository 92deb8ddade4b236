"""The graph's protocols on this machine: each step is one resource of the steps' provider."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from infra.backend import (
    BuiltImage,
    DataUploadArgs,
    ModelVersionArgs,
    RegisteredModel,
    RunningService,
    ScoringServiceArgs,
    ServingImageArgs,
    TrainedModel,
    TrainingRunArgs,
    UploadedData,
)
from infra.step_resource import StepResource
from steps.kinds import Kind, Place


class LocalBackend:
    """All steps of one stack on this machine."""

    def __init__(self, stack: str) -> None:
        """`stack` names the folder that holds everything."""
        self._stack = stack
        self.outputs: dict[str, Output[Any]] = {}

    def open(self, name: str, options: ResourceOptions) -> Output[str]:
        """A folder with MLflow's database, the bundles and the images."""
        return self._step(Kind.REGISTRY, name, {}, options).output("registry")

    def upload(self, name: str, args: DataUploadArgs, options: ResourceOptions) -> UploadedData:
        """A folder of the lake, named by the manifest's hash."""
        inputs = {
            "registry": args.registry,
            "dataset": args.dataset.model_dump(mode="json"),
            "manifest_hash": args.manifest_hash,
        }
        step = self._step(Kind.DATA_UPLOAD, name, inputs, options)
        return UploadedData(location=step.output("location"), manifest_hash=step.output("uploaded_hash"))

    def train(self, name: str, args: TrainingRunArgs, options: ResourceOptions) -> TrainedModel:
        """`python -m training` in a process of its own."""
        inputs = {
            "registry": args.registry,
            "dataset": args.dataset.model_dump(mode="json"),
            "location": args.location,
            "manifest_hash": args.manifest_hash,
            "parameters": args.parameters.model_dump(mode="json"),
            "gate": args.gate.model_dump(mode="json"),
            "code_hash": args.code_hash,
        }
        step = self._step(Kind.TRAINING_RUN, name, inputs, options)
        return TrainedModel(bundle=step.output("bundle"), bundle_hash=step.output("bundle_hash"))

    def register(self, name: str, args: ModelVersionArgs, options: ResourceOptions) -> RegisteredModel:
        """A version in MLflow's registry."""
        inputs = {
            "registry": args.registry,
            "bundle": args.bundle,
            "bundle_hash": args.bundle_hash,
            "requested": str(args.requested),
        }
        step = self._step(Kind.MODEL_VERSION, name, inputs, options)
        return RegisteredModel(
            version=step.output("version").apply(int),
            bundle_hash=step.output("served_hash"),
            metrics=step.output("metrics"),
            report=step.output("report"),
        )

    def build(self, name: str, args: ServingImageArgs, options: ResourceOptions) -> BuiltImage:
        """A folder laid out as the image is, named by the digest of its content."""
        inputs = {
            "registry": args.registry,
            "version": args.version,
            "bundle_hash": args.bundle_hash,
            "code_hash": args.code_hash,
        }
        return BuiltImage(digest=self._step(Kind.SERVING_IMAGE, name, inputs, options).output("digest"))

    def serve(self, name: str, args: ScoringServiceArgs, options: ResourceOptions) -> RunningService:
        """Supervised processes on a port of this machine."""
        settings = args.settings.model_dump(mode="json")
        rotation = {"registry": args.registry, "rotation": settings.pop("key_rotation")}
        key = self._step(Kind.API_KEY, f"{name}-key", rotation, options)
        inputs = {
            "registry": args.registry,
            "digest": args.digest,
            "version": args.version,
            "settings": settings,
            "keys": [Output.secret(key.output("current")), Output.secret(key.output("previous"))],
        }
        step = self._step(Kind.SCORING_SERVICE, name, inputs, options)
        return RunningService(
            endpoint=step.output("endpoint"),
            version=step.output("served_version").apply(int),
            key=Output.secret(key.output("current")),
        )

    def _step(self, kind: Kind, name: str, inputs: Mapping[str, Any], options: ResourceOptions) -> StepResource:
        return StepResource(Place.LOCAL, kind, name, {"stack": self._stack, **inputs}, options)
