"""How the steps are declared on this machine; `infra.cloud.backend` has the same methods for Azure.

A backend declares each step once, and adds the inputs that only its target knows. Inputs and outputs of the steps are
in `steps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi import Output, ResourceOptions

from features.files import sha256
from infra.settings import SettingsError
from infra.step_resource import StepResource
from steps import (
    api_key,
    champion,
    data_upload,
    model_registry,
    model_version,
    scoring_service,
    serving_image,
    training_run,
)
from steps.serving_settings import ScoringSettings
from steps.step import Step, StepInputs
from tools.paths import ROOT


@dataclass(frozen=True, kw_only=True)
class ScoringServiceArgs:
    """The image to serve, its model version and bundle, and how it is served."""

    registry: Output[str]
    digest: Output[str]
    version: Output[int]
    bundle_hash: Output[str]
    refusal: Output[str]
    """Why it is not the candidate; else empty."""
    settings: ScoringSettings


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """A service that answers: its URL, the version behind it, and its current key (a secret)."""

    endpoint: Output[str]
    version: Output[int]
    key: Output[str]


class LocalBackend:
    """All steps of one stack on this machine."""

    def __init__(self, stack: str) -> None:
        """`stack` is the name of the folder with everything."""
        self._target = {"stack": stack}
        self.shown: Mapping[str, Output[Any]] = {}
        """Outputs of the stack that only this target has."""

    def open(self, name: str, options: ResourceOptions) -> StepResource:
        """A folder with MLflow's database, bundles and images, which are deleted with this resource."""
        return self._step(model_registry.RegistryHere, name, model_registry.Inputs(), options)

    def upload(self, name: str, inputs: data_upload.Inputs[Output[str]], options: ResourceOptions) -> StepResource:
        """A folder of the lake, named by the manifest's hash."""
        return self._step(data_upload.DataUploadHere, name, inputs, options)

    def train(self, name: str, inputs: training_run.Inputs[Output[str]], options: ResourceOptions) -> StepResource:
        """`python -m training` in a process of its own."""
        return self._step(training_run.TrainingRunHere, name, inputs, options)

    def register(self, name: str, inputs: model_version.Inputs[Output[str]], options: ResourceOptions) -> StepResource:
        """A version in MLflow's registry."""
        return self._step(model_version.ModelVersionHere, name, inputs, options)

    def build(
        self, name: str, inputs: serving_image.Inputs[Output[str], Output[int]], options: ResourceOptions
    ) -> StepResource:
        """A folder laid out as the image is, the same for every engine."""
        return self._step(serving_image.ServingImageHere, name, inputs, options)

    def serve(self, name: str, args: ScoringServiceArgs, options: ResourceOptions) -> RunningService:
        """Supervised processes on a port of this machine."""
        rotation = api_key.Inputs[Output[str]](registry=args.registry, rotation=args.settings.key_rotation)
        key = self._step(api_key.ApiKeyHere, f"{name}-key", rotation, options)
        current = key.output("current", str)
        inputs = scoring_service.Inputs[Output[str], Output[int]](
            registry=args.registry,
            digest=args.digest,
            version=args.version,
            bundle_hash=args.bundle_hash,
            settings=args.settings,
            keys=(current, key.output("previous", str)),
        )
        certificate = {"certificate_hash": _certificate_hash(args.settings)}
        service = self._step(scoring_service.ScoringService, name, inputs, options, certificate)
        version = service.output("served_version", int)
        served = champion.Inputs[Output[str], Output[int]](version=version, refusal=args.refusal)
        self._step(champion.ChampionHere, f"{name}-champion", served, options)
        return RunningService(endpoint=service.output("endpoint", str), version=version, key=current)

    def _step(
        self,
        step: type[Step[Any, Any]],
        name: str,
        inputs: StepInputs,
        options: ResourceOptions,
        further: Mapping[str, Any] | None = None,
    ) -> StepResource:
        target = {**self._target, **(further or {})}
        return StepResource(step, name, inputs, target=target, options=options)


def _certificate_hash(settings: ScoringSettings) -> str | None:
    """The hash of the certificate alone: the key belongs to it, and nothing of it may be in the state."""
    if settings.tls_certificate is None:
        return None
    try:
        return sha256(ROOT / settings.tls_certificate)
    except OSError as error:
        raise SettingsError(
            f"scoring.tls_certificate names {settings.tls_certificate}, which cannot be read: {error.strerror}. "
            "Correct the path, relative to the repository."
        ) from error
