"""The graph: dataset, training run, model version, image, service. Each step uses outputs of the steps before it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

import pulumi
from pulumi import Output

from azure_clients.lake_files import AzureLake
from features.errors import PersonalizationError
from infra.backend import LocalBackend, ScoringServiceArgs
from infra.components import DataUpload, ModelVersion, Registry, ScoringService, ServingImage, TrainingRun
from infra.settings import Settings, Target, load_settings
from steps import data_upload, model_version, serving_image, training_run
from steps.datasets import located
from steps.image_content import serving_code_hash
from steps.job_libraries import SERVING_LIBRARIES, TRAINING_LIBRARIES, locked_versions
from steps.serving_settings import ScoringEngine
from training.datasets import check_split, describe, recommends
from training.datasets.errors import DatasetError
from training.datasets.manifest import Manifest
from training.datasets.placed.in_place import covered
from training.parameters import Dataset, EngineName
from training.runtime import require_spark
from training.stages.provenance import training_code_hash

if TYPE_CHECKING:
    from infra.components import Backend
    from training.datasets.placed.address import Address


UNREAD = Manifest(kind="", hash="", partitions=(), description="not read")
"""For an update that leaves data and training as they are in the state."""


def program(*, reads_data: bool = True, listed: Manifest | None = None) -> None:
    """The Pulumi program of every stack, for `pulumi up` and `personalize up`. Errors are shown as one sentence.

    Without `reads_data` only steps after training may be updated: a rollback needs neither data nor its config. A
    preview may give the manifest of data that was `listed` before, which is not read then.
    """
    try:
        settings = load_settings(_engine_values())
        outputs = deploy(settings, pulumi.get_stack(), reads_data=reads_data, listed=listed)
    except PersonalizationError as error:
        raise pulumi.RunError(str(error)) from error
    for name, value in outputs.items():
        pulumi.export(name, value)


def _engine_values() -> dict[str, Any]:
    """All keys at once, which `pulumi.Config` can't return: set by an inline program or by the language host."""
    return pulumi.runtime.config.get_config_env() | pulumi.runtime.config.CONFIG.get()


def deploy(
    settings: Settings, stack: str, *, reads_data: bool = True, listed: Manifest | None = None
) -> dict[str, Output[Any]]:
    """Declare all steps of `stack` and return the stack's outputs, `key` being secret; see `program`.

    Raises `PersonalizationError` if the dataset can't be described or split according to the settings, or if this
    machine lacks what Spark needs and Spark is to run here.
    """
    dataset = located(settings.dataset)
    manifest = listed or (_described(dataset, settings) if reads_data else UNREAD)
    if manifest.dropped:
        pulumi.log.info(f"{manifest.dropped}.")
    backend = _backend(settings, stack, partial(_facts, dataset, manifest))
    registry = Registry("registry", backend)
    data = DataUpload(
        "data",
        data_upload.Inputs[Output[str]](
            registry=registry.registry,
            dataset=settings.dataset,
            manifest_hash=manifest.hash,
            versions=manifest.versions or None,
        ),
        backend,
    )
    training = TrainingRun(
        "training",
        training_run.Inputs[Output[str]](
            registry=registry.registry,
            dataset=settings.dataset,
            location=data.location,
            manifest_hash=data.manifest_hash,
            parameters=settings.training,
            gate=settings.gate,
            code_hash=training_code_hash(),
            libraries=locked_versions(TRAINING_LIBRARIES),
        ),
        backend,
    )
    return serve(settings, backend, registry, bundle=training.bundle, bundle_hash=training.bundle_hash)


def _described(dataset: Dataset, settings: Settings) -> Manifest:
    manifest = describe(dataset, AzureLake(settings.azure.tenant if settings.azure else ""))
    check_split(dataset, settings.training.split)
    return manifest


def serve(
    settings: Settings, backend: "Backend", registry: Registry, *, bundle: Output[str], bundle_hash: Output[str]
) -> dict[str, Output[Any]]:
    """Declare the steps after training, for a candidate with this bundle; return the stack's outputs."""
    candidate = model_version.Inputs[Output[str]](
        registry=registry.registry, bundle=bundle, bundle_hash=bundle_hash, requested=str(settings.model_version)
    )
    version = ModelVersion("model", candidate, backend)
    content = serving_image.Inputs[Output[str], Output[int]](
        registry=registry.registry,
        version=version.version,
        bundle_hash=version.bundle_hash,
        code_hash=serving_code_hash(),
        libraries=locked_versions(SERVING_LIBRARIES),
    )
    image = ServingImage("image", content, backend)
    args = ScoringServiceArgs(
        registry=registry.registry,
        digest=image.digest,
        version=version.version,
        bundle_hash=version.bundle_hash,
        refusal=version.refusal,
        settings=settings.scoring,
    )
    service = ScoringService("service", args, backend)
    return {
        "endpoint": service.endpoint,
        "key": service.key,
        "model_version": service.version,
        "metrics": version.metrics,
        "report": version.report,
        "image_digest": image.digest,
        "bundle_hash": version.bundle_hash,
        **backend.shown,
    }


def _facts(dataset: Dataset, manifest: Manifest) -> "tuple[Sequence[Address], bool]":
    """The folders of containers that training reads in place, and whether the dataset has users and items.

    An update that does not read the data must not need the dataset config: then the pods are told where snapshots would
    be, which a version without users and items does not look for; what training needs is not updated.
    """
    try:
        return covered(dataset, manifest), recommends(dataset)
    except DatasetError:
        if manifest is not UNREAD:
            raise
        return (), True


def _backend(settings: Settings, stack: str, facts: "Callable[[], tuple[Sequence[Address], bool]]") -> "Backend":
    match settings.target:
        case Target.LOCAL:
            if EngineName.SPARK is settings.training.engine or settings.scoring.engine is ScoringEngine.SPARK_SERVING:
                require_spark()
            return LocalBackend(stack)
        case Target.AZURE:
            # Azure's SDKs are an extra that stack `local` does without, and take seconds to import.
            from infra.cloud.backend import CloudBackend  # noqa: PLC0415 - see above

            data, has_users_and_items = facts()
            return CloudBackend(stack, settings, data, recommends=has_users_and_items)
        case _:
            assert_never(settings.target)
