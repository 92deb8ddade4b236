"""The steps as Pulumi components, the same for every target.

Their type tokens are part of every URN: changing one replaces the resources of every stack that exists.
"""

import pulumi
from pulumi import ResourceOptions

from infra.backend import (
    DataStore,
    DataUploadArgs,
    ImageBuilder,
    ModelRegistry,
    ModelService,
    ModelVersionArgs,
    ScoringServiceArgs,
    ServingImageArgs,
    Trainer,
    TrainingRunArgs,
)


class Registry(pulumi.ComponentResource):
    """The owner of model versions, bundles and images."""

    def __init__(self, name: str, registry: ModelRegistry, opts: ResourceOptions | None = None) -> None:
        """Open the registry."""
        super().__init__("personalization:registry:Registry", name, None, opts)
        self.registry = registry.open(name, ResourceOptions(parent=self))
        self.register_outputs({"registry": self.registry})


class DataUpload(pulumi.ComponentResource):
    """The dataset, where training finds it."""

    def __init__(self, name: str, args: DataUploadArgs, store: DataStore, opts: ResourceOptions | None = None) -> None:
        """Bring the dataset in."""
        super().__init__("personalization:data:DataUpload", name, None, opts)
        uploaded = store.upload(name, args, ResourceOptions(parent=self))
        self.location = uploaded.location
        self.manifest_hash = uploaded.manifest_hash
        self.register_outputs({"location": self.location, "manifest_hash": self.manifest_hash})


class TrainingRun(pulumi.ComponentResource):
    """One training run and the candidate that came out of it."""

    def __init__(self, name: str, args: TrainingRunArgs, trainer: Trainer, opts: ResourceOptions | None = None) -> None:
        """Train."""
        super().__init__("personalization:training:TrainingRun", name, None, opts)
        trained = trainer.train(name, args, ResourceOptions(parent=self))
        self.bundle = trained.bundle
        self.bundle_hash = trained.bundle_hash
        self.register_outputs({"bundle": self.bundle, "bundle_hash": self.bundle_hash})


class ModelVersion(pulumi.ComponentResource):
    """The version that is to be served."""

    def __init__(
        self, name: str, args: ModelVersionArgs, registry: ModelRegistry, opts: ResourceOptions | None = None
    ) -> None:
        """Register the candidate, or find the requested version."""
        super().__init__("personalization:registry:ModelVersion", name, None, opts)
        registered = registry.register(name, args, ResourceOptions(parent=self))
        self.version = registered.version
        self.bundle_hash = registered.bundle_hash
        self.metrics = registered.metrics
        self.report = registered.report
        self.register_outputs({"version": self.version, "bundle_hash": self.bundle_hash})


class ServingImage(pulumi.ComponentResource):
    """The serving code and one model version, named by the digest of both."""

    def __init__(
        self, name: str, args: ServingImageArgs, images: ImageBuilder, opts: ResourceOptions | None = None
    ) -> None:
        """Build the image."""
        super().__init__("personalization:serving:ServingImage", name, None, opts)
        self.digest = images.build(name, args, ResourceOptions(parent=self)).digest
        self.register_outputs({"digest": self.digest})


class ScoringService(pulumi.ComponentResource):
    """The service: features in, click probability out."""

    def __init__(
        self, name: str, args: ScoringServiceArgs, service: ModelService, opts: ResourceOptions | None = None
    ) -> None:
        """Serve the image."""
        super().__init__("personalization:serving:ScoringService", name, None, opts)
        running = service.serve(name, args, ResourceOptions(parent=self))
        self.endpoint = running.endpoint
        self.version = running.version
        self.key = running.key
        self.register_outputs({"endpoint": self.endpoint, "version": self.version, "key": self.key})
