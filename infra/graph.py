"""The graph: dataset, training run, model version, image, service; each edge is an output of the step before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import pulumi

from features.errors import PersonalizationError
from infra.backend import Backend, ScoringServiceArgs
from infra.components import DataUpload, ModelVersion, Registry, ScoringService, ServingImage, TrainingRun
from infra.local_backend import LocalBackend
from infra.settings import Settings, Target, azure_settings, load_settings
from infra.step_resource import later
from steps.descriptions import data_upload, model_version, serving_image, training_run
from steps.descriptions.serving_settings import ScoringEngine
from steps.shared.dataset_paths import located
from steps.shared.image_content import serving_code_hash
from steps.shared.locked_versions import SERVING_LIBRARIES, TRAINING_LIBRARIES, locked_versions
from training.datasets import check_split, describe
from training.parameters import EngineName
from training.runtime import require_spark
from training.stages.provenance import training_code_hash


def program() -> None:
    """The Pulumi program of every stack: what `pulumi up` and `personalize up` run. Errors show as their sentence."""
    try:
        outputs = deploy(load_settings(_engine_values()), pulumi.get_stack())
    except PersonalizationError as error:
        raise pulumi.RunError(str(error)) from error
    for name, value in outputs.items():
        pulumi.export(name, value)


def _engine_values() -> dict[str, Any]:
    """All keys at once, which `pulumi.Config` cannot give: set by an inline program, or by the language host."""
    return pulumi.runtime.config.get_config_env() | pulumi.runtime.config.CONFIG.get()


def deploy(settings: Settings, stack: str) -> dict[str, pulumi.Output[Any]]:
    """Declare all steps of `stack` and return the stack's outputs, `key` being secret.

    Raises `PersonalizationError` when the dataset cannot be described, or not split as the settings say, or when Spark
    is to run here and this machine lacks what it needs.
    """
    dataset = located(settings.dataset)
    manifest = describe(dataset)
    check_split(dataset, settings.training.split)
    backend = _backend(settings, stack)
    registry = Registry("registry", backend)
    data = DataUpload(
        "data",
        data_upload.Inputs.model_construct(
            registry=later(registry.registry), dataset=settings.dataset, manifest_hash=manifest.hash
        ),
        backend,
    )
    training = TrainingRun(
        "training",
        training_run.Inputs.model_construct(
            registry=later(registry.registry),
            dataset=settings.dataset,
            location=later(data.location),
            manifest_hash=later(data.manifest_hash),
            parameters=settings.training,
            gate=settings.gate,
            code_hash=training_code_hash(),
            libraries=locked_versions(TRAINING_LIBRARIES),
        ),
        backend,
    )
    candidate = Candidate(bundle=training.bundle, bundle_hash=training.bundle_hash, passed_on=training.passed_on)
    return {**serve(settings, backend, registry, candidate), **training.shown}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A trained model: where its bundle lies, the bundle's hash, and what its target passed on."""

    bundle: pulumi.Output[str]
    bundle_hash: pulumi.Output[str]
    passed_on: Mapping[str, pulumi.Output[Any]]


def serve(
    settings: Settings, backend: Backend, registry: Registry, candidate: Candidate
) -> dict[str, pulumi.Output[Any]]:
    """Declare what follows the training of `candidate`, and return the stack's outputs, `key` being secret."""
    version = ModelVersion(
        "model",
        model_version.Inputs.model_construct(
            registry=later(registry.registry),
            bundle=later(candidate.bundle),
            bundle_hash=later(candidate.bundle_hash),
            requested=str(settings.model_version),
        ),
        candidate.passed_on,
        backend,
    )
    image = _image(settings, backend, registry, version)
    service = ScoringService(
        "service",
        ScoringServiceArgs(
            registry=registry.registry,
            digest=image.digest,
            version=version.version,
            settings=settings.scoring,
            requested=settings.model_version,
        ),
        image.passed_on,
        backend,
    )
    return {**_outputs(version, image, service), **backend.shown, **service.shown}


def _image(settings: Settings, backend: Backend, registry: Registry, version: ModelVersion) -> ServingImage:
    inputs = serving_image.Inputs.model_construct(
        registry=later(registry.registry),
        version=later(version.version),
        bundle_hash=later(version.bundle_hash),
        code_hash=serving_code_hash(),
        libraries=locked_versions(SERVING_LIBRARIES),
    )
    return ServingImage("image", inputs, settings.scoring.engine, version.passed_on, backend)


def _outputs(version: ModelVersion, image: ServingImage, service: ScoringService) -> dict[str, pulumi.Output[Any]]:
    return {
        "endpoint": service.endpoint,
        "key": service.key,
        "model_version": service.version,
        "metrics": version.metrics,
        "report": version.report,
        "image_digest": image.digest,
        "bundle_hash": version.bundle_hash,
    }


def _backend(settings: Settings, stack: str) -> Backend:
    match settings.target:
        case Target.LOCAL:
            if EngineName.SPARK is settings.training.engine or settings.scoring.engine is ScoringEngine.SPARK_SERVING:
                require_spark()
            return LocalBackend(stack)
        case Target.AZURE:
            # Azure's SDKs are an extra that stack `local` does without, and take seconds to import.
            from infra.cloud.backend import CloudBackend  # noqa: PLC0415 - see above

            return CloudBackend(stack, azure_settings(settings))
        case _:
            assert_never(settings.target)
