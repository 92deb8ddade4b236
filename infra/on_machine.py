"""The program of a stack on this machine, from top to bottom: dataset, training run, model version, image, service.

Each step uses outputs of the steps before it. `on_azure.py` declares the same steps, with the same names, on Azure.
"""

from typing import Any

from pulumi import Output

from features.files import sha256
from infra.settings import Settings, SettingsError
from infra.step_resource import Group, StepResource
from steps.api_key import ApiKeyHere
from steps.champion import ChampionHere
from steps.data_upload import DataUploadHere
from steps.image_content import serving_code_hash
from steps.job_libraries import SERVING_LIBRARIES, TRAINING_LIBRARIES, locked_versions
from steps.model_registry import RegistryHere
from steps.model_version import ModelVersionHere
from steps.scoring_service import ScoringService
from steps.serving_image import ServingImageHere
from steps.serving_settings import ScoringEngine, ScoringSettings
from steps.training_run import TrainingRunHere
from tools.paths import ROOT
from training.datasets.manifest import Manifest
from training.parameters import EngineName
from training.provenance import training_code_hash
from training.runtime import require_spark


def on_machine(settings: Settings, stack: str, manifest: Manifest) -> dict[str, Output[Any]]:
    """Declare the stack for the dataset with this manifest; return its outputs, `key` being secret.

    Raises `PersonalizationError` if this machine lacks what Spark needs and Spark is to run here.
    """
    if settings.training.engine is EngineName.SPARK or settings.scoring.engine is ScoringEngine.SPARK_SERVING:
        require_spark()
    # MLflow's database, bundles and images, which are deleted with this resource.
    opened = StepResource(RegistryHere, "registry", Group("registry:Registry", "registry"), stack=stack)
    registry = opened.text("registry")
    # A folder of the lake, named by the manifest's hash.
    data = StepResource(
        DataUploadHere,
        "data",
        Group("data:DataUpload", "data"),
        stack=stack,
        registry=registry,
        dataset=settings.dataset,
        manifest_hash=manifest.hash,
        versions=manifest.versions or None,
    )
    # `python -m training` in a process of its own.
    training = StepResource(
        TrainingRunHere,
        "training",
        Group("training:TrainingRun", "training"),
        stack=stack,
        registry=registry,
        dataset=settings.dataset,
        location=data.text("location"),
        manifest_hash=data.text("uploaded_hash"),
        parameters=settings.training,
        gate=settings.gate,
        code_hash=training_code_hash(),
        libraries=locked_versions(TRAINING_LIBRARIES),
    )
    model = StepResource(
        ModelVersionHere,
        "model",
        Group("registry:ModelVersion", "model"),
        stack=stack,
        registry=registry,
        bundle=training.text("bundle"),
        bundle_hash=training.text("bundle_hash"),
        requested=str(settings.model_version),
    )
    # A folder laid out as the image is, the same for every engine.
    image = StepResource(
        ServingImageHere,
        "image",
        Group("serving:ServingImage", "image"),
        stack=stack,
        registry=registry,
        version=model.output("version", int),
        bundle_hash=model.text("served_hash"),
        code_hash=serving_code_hash(),
        libraries=locked_versions(SERVING_LIBRARIES),
    )
    serving = Group("serving:ScoringService", "service")
    key = StepResource(
        ApiKeyHere,
        "service-key",
        serving,
        stack=stack,
        registry=registry,
        rotation=settings.scoring.key_rotation,
    )
    # Supervised processes on a port of this machine.
    service = StepResource(
        ScoringService,
        "service",
        serving,
        stack=stack,
        registry=registry,
        digest=image.text("digest"),
        version=model.output("version", int),
        bundle_hash=model.text("served_hash"),
        settings=settings.scoring,
        keys=(key.text("current"), key.text("previous")),
        certificate_hash=_certificate_hash(settings.scoring),
    )
    served = service.output("served_version", int)
    StepResource(ChampionHere, "service-champion", serving, stack=stack, version=served, refusal=model.text("refusal"))
    return {
        "endpoint": service.text("endpoint"),
        "key": key.text("current"),
        "model_version": served,
        "metrics": model.output("metrics", dict[str, Any]),
        "report": model.text("report"),
        "image_digest": image.text("digest"),
        "bundle_hash": model.text("served_hash"),
    }


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
