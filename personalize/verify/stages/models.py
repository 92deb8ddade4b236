"""The trained model as a version in Azure ML."""

from features.bundle import Bundle
from personalize.clients.azure_models import AzureVersions
from personalize.verify.bench import Bench
from personalize.verify.stage import Seen, Stage, StageFailedError
from personalize.views.model_table import MEASURES
from steps.local.registry import bundle_folder
from steps.shared.model_versions import Version
from tools.paths import state_folder
from tools.versions import SPARK, SYNAPSEML

HASH_DIGITS = 64


def _registered(bench: Bench) -> str:
    version = _newest(bench)
    measured = next(name for name in MEASURES if name in version.metrics)
    return f"version {version.number}, {MEASURES[measured]} {version.metrics[measured]:.4f}."


def _newest(bench: Bench) -> Version:
    versions = AzureVersions(bench.stack, bench.settings).list()
    if not versions:
        raise StageFailedError("Azure ML lists no version of the model after it was registered.")
    return versions[-1]


def _tags(bench: Bench) -> Seen:
    """Tags lead to a version's bundle, so Azure must not cut their number or length."""
    version = _newest(bench)
    whole = len(version.bundle_hash) == HASH_DIGITS and any(name in version.metrics for name in MEASURES)
    parts = f"bundle hash of {len(version.bundle_hash)} digits in the tags of version {version.number}"
    return Seen(holds=whole, answer=f"{parts}, {len(version.metrics)} metrics in the bundle that they name")


def _runtime(bench: Bench) -> Seen:
    """The versions of the libraries in the bundle's metadata."""
    kept = bundle_folder(state_folder(bench.stack) / "registry", _newest(bench).bundle_hash)
    found = Bundle.load(kept).metadata.library_versions
    shown = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
    spark = found.get("pyspark", "")
    same = spark.startswith(f"{SPARK}.") and found.get("synapseml", SYNAPSEML) == SYNAPSEML
    return Seen(holds=same, answer=shown)


MODEL = Stage(
    name="model",
    title="the model as a version in Azure ML",
    minutes="1",
    act=_registered,
    looks={"model-tags": _tags, "runtime-versions": _runtime},
)
