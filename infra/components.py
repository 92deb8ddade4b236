"""The steps as Pulumi components, the same for every target.

Their type tokens are part of every URN: changing one replaces the resources of every stack that exists.
"""

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import Output, ResourceOptions

from infra.backend import LocalBackend, ScoringServiceArgs
from steps import data_upload, model_version, serving_image, training_run

if TYPE_CHECKING:
    from infra.cloud.backend import CloudBackend

    Backend = LocalBackend | CloudBackend


class Registry(pulumi.ComponentResource):
    """The owner of model versions, bundles and images."""

    def __init__(self, name: str, backend: "Backend") -> None:
        """Open the registry."""
        super().__init__("personalization:registry:Registry", name)
        step = backend.open(name, ResourceOptions(parent=self))
        self.registry = step.output("registry", str)
        self.register_outputs({"registry": self.registry})


class DataUpload(pulumi.ComponentResource):
    """The dataset, where training finds it."""

    def __init__(self, name: str, inputs: data_upload.Inputs[Output[str]], backend: "Backend") -> None:
        """Bring the dataset in, unless it is there."""
        super().__init__("personalization:data:DataUpload", name)
        step = backend.upload(name, inputs, ResourceOptions(parent=self))
        self.location = step.output("location", str)
        self.manifest_hash = step.output("uploaded_hash", str)
        self.register_outputs({"location": self.location, "manifest_hash": self.manifest_hash})


class TrainingRun(pulumi.ComponentResource):
    """One training run and the candidate that came out of it."""

    def __init__(self, name: str, inputs: training_run.Inputs[Output[str]], backend: "Backend") -> None:
        """Train once for each set of inputs, whatever the gate's verdict."""
        super().__init__("personalization:training:TrainingRun", name)
        step = backend.train(name, inputs, ResourceOptions(parent=self))
        self.bundle = step.output("bundle", str)
        self.bundle_hash = step.output("bundle_hash", str)
        self.register_outputs({"bundle": self.bundle, "bundle_hash": self.bundle_hash})


class ModelVersion(pulumi.ComponentResource):
    """The version that is to be served."""

    def __init__(self, name: str, inputs: model_version.Inputs[Output[str]], backend: "Backend") -> None:
        """Register the candidate, or find the requested version; one that the gate rejected is not served."""
        super().__init__("personalization:registry:ModelVersion", name)
        step = backend.register(name, inputs, ResourceOptions(parent=self))
        self.version = step.output("version", int)
        self.bundle_hash = step.output("served_hash", str)
        self.metrics = step.output("metrics", dict[str, Any])
        self.report = step.output("report", str)
        self.refusal = step.output("refusal", str)
        self.register_outputs({"version": self.version, "bundle_hash": self.bundle_hash})


class ServingImage(pulumi.ComponentResource):
    """The serving code and one model version, named by the digest of both."""

    def __init__(self, name: str, inputs: serving_image.Inputs[Output[str], Output[int]], backend: "Backend") -> None:
        """Build the image, unless it is there."""
        super().__init__("personalization:serving:ServingImage", name)
        step = backend.build(name, inputs, ResourceOptions(parent=self))
        self.digest = step.output("digest", str)
        self.register_outputs({"digest": self.digest})


class ScoringService(pulumi.ComponentResource):
    """The service: features in, click probability out."""

    def __init__(self, name: str, args: ScoringServiceArgs, backend: "Backend") -> None:
        """Serve the image, make its version the champion once it answers, and report what may not serve."""
        super().__init__("personalization:serving:ScoringService", name)
        running = backend.serve(name, args, ResourceOptions(parent=self))
        self.endpoint, self.version, self.key = running.endpoint, running.version, running.key
        self.register_outputs({"endpoint": self.endpoint, "version": self.version, "key": self.key})
