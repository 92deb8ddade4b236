"""The steps as Pulumi components, the same for every target.

Their type tokens are part of every URN: changing one replaces the resources of every stack that exists.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from infra.backend import Backend, ScoringServiceArgs
from steps.descriptions import data_upload, model_version, serving_image, training_run
from steps.descriptions.serving_settings import ScoringEngine


class Registry(pulumi.ComponentResource):
    """The owner of model versions, bundles and images."""

    def __init__(self, name: str, backend: Backend) -> None:
        """Open the registry."""
        super().__init__("personalization:registry:Registry", name)
        declared = backend.open(name, ResourceOptions(parent=self))
        self.registry = declared.step.output(lambda found: found.registry)
        self.register_outputs({"registry": self.registry})


class DataUpload(pulumi.ComponentResource):
    """The dataset, where training finds it."""

    def __init__(self, name: str, inputs: data_upload.Inputs, backend: Backend) -> None:
        """Bring the dataset in."""
        super().__init__("personalization:data:DataUpload", name)
        declared = backend.upload(name, inputs, ResourceOptions(parent=self))
        self.location = declared.step.output(lambda found: found.location)
        self.manifest_hash = declared.step.output(lambda found: found.uploaded_hash)
        self.register_outputs({"location": self.location, "manifest_hash": self.manifest_hash})


class TrainingRun(pulumi.ComponentResource):
    """One training run and the candidate that came out of it."""

    def __init__(self, name: str, inputs: training_run.Inputs, backend: Backend) -> None:
        """Train."""
        super().__init__("personalization:training:TrainingRun", name)
        declared = backend.train(name, inputs, ResourceOptions(parent=self))
        self.bundle = declared.step.output(lambda found: found.bundle)
        self.bundle_hash = declared.step.output(lambda found: found.bundle_hash)
        self.passed_on = declared.passed_on
        self.shown = declared.shown
        self.register_outputs({"bundle": self.bundle, "bundle_hash": self.bundle_hash})


class ModelVersion(pulumi.ComponentResource):
    """The version that is to be served."""

    def __init__(
        self, name: str, inputs: model_version.Inputs, passed_on: Mapping[str, Output[Any]], backend: Backend
    ) -> None:
        """Register the candidate, or find the requested version."""
        super().__init__("personalization:registry:ModelVersion", name)
        declared = backend.register(name, inputs, passed_on, ResourceOptions(parent=self))
        self.version = declared.step.output(lambda found: found.version)
        self.bundle_hash = declared.step.output(lambda found: found.served_hash)
        self.metrics = declared.step.output(lambda found: found.metrics)
        self.report = declared.step.output(lambda found: found.report)
        self.passed_on = declared.passed_on
        self.register_outputs({"version": self.version, "bundle_hash": self.bundle_hash})


class ServingImage(pulumi.ComponentResource):
    """The serving code and one model version, named by the digest of both."""

    def __init__(
        self,
        name: str,
        inputs: serving_image.Inputs,
        engine: ScoringEngine,
        passed_on: Mapping[str, Output[Any]],
        backend: Backend,
    ) -> None:
        """Build the image."""
        super().__init__("personalization:serving:ServingImage", name)
        declared = backend.build(name, inputs, engine, passed_on, ResourceOptions(parent=self))
        self.digest = declared.step.output(lambda found: found.digest)
        self.passed_on = declared.passed_on
        self.register_outputs({"digest": self.digest})


class ScoringService(pulumi.ComponentResource):
    """The service: features in, click probability out."""

    def __init__(
        self, name: str, args: ScoringServiceArgs, passed_on: Mapping[str, Output[Any]], backend: Backend
    ) -> None:
        """Serve the image."""
        super().__init__("personalization:serving:ScoringService", name)
        running = backend.serve(name, args, passed_on, ResourceOptions(parent=self))
        self.endpoint = running.endpoint
        self.version = running.version
        self.key = running.key
        self.shown = running.shown
        self.register_outputs({"endpoint": self.endpoint, "version": self.version, "key": self.key})
