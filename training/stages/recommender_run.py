"""A training run on positives alone, from the interactions to a sealed bundle: a recommender, and no click model."""

from functools import partial
from pathlib import Path

import msgspec

from features.bundle import REPORT, Metadata, Verdict
from recommend.judgement import Judgement
from recommend.recommender import METRIC
from recommend.stored import FOLDER as SNAPSHOTS
from training.datasets.described.spec import TablesSpec
from training.datasets.manifest import Manifest
from training.parameters import TrainingParameters
from training.progress import Progress
from training.protocols import TrainingEngine
from training.report import RecommenderReport
from training.request import TrainingRequest
from training.result import Result
from training.stages.publish import metadata_of, write_bundle
from training.stages.recommended import STAGE, Recommending, recommending_from


def train_recommender(
    engine: TrainingEngine,
    arguments: TrainingRequest,
    manifest: Manifest,
    spec: TablesSpec,
    *,
    output: Path,
    progress: Progress,
) -> Result:
    """Train on the tables of `spec` and write the bundle to `output / "bundle"`.

    The verdict is the recommender's, which is compared with popularity and not with earlier versions. Raises a
    `DatasetError` for malformed rows, and `SnapshotError` if the snapshots beside the bundle cannot be written.
    """
    stage = partial(engine.stage, progress)
    parameters = arguments.training.model_copy(update={"engine": engine.name})
    recommended = recommending_from(spec, arguments, stage, output / SNAPSHOTS, engine.factors(parameters.seed))
    judgement, target = recommended.judgement, output / "bundle"
    if recommended.rows:
        progress(STAGE, recommended.rows)
    progress(STAGE, judgement.reason)
    with stage("bundle", "write the bundle"):
        metadata = _metadata(engine, manifest, parameters, judgement)
        bundle_hash = write_bundle(
            target,
            schema=spec.joined_schema,
            metadata=metadata,
            clicks=None,
            recommender=recommended.recommender,
            write_report=partial(_write_report, manifest, metadata, recommended, parameters),
        )
    return Result(
        metrics=metadata.metrics,
        bundle=str(target),
        bundle_hash=bundle_hash,
        verdict=metadata.verdict,
        report=str(target / REPORT),
        rows={},
        seconds=progress.seconds,
    )


def _metadata(
    engine: TrainingEngine, manifest: Manifest, parameters: TrainingParameters, judgement: Judgement
) -> Metadata:
    metrics = {**judgement.scalars(), METRIC: msgspec.to_builtins(judgement)}
    verdict = Verdict(accepted=judgement.accepted, reasons=(judgement.reason,))
    return metadata_of(engine, manifest, parameters, metrics=metrics, verdict=verdict)


def _write_report(
    manifest: Manifest, metadata: Metadata, recommended: Recommending, parameters: TrainingParameters, path: Path
) -> None:
    from training.report import recommender  # noqa: PLC0415 - Matplotlib takes a second; wrong data is reported before

    shown = RecommenderReport(
        dataset=manifest.description,
        rows=recommended.rows,
        recommender=recommended.judgement,
        parameters=parameters,
        versions=metadata.library_versions,
        hashes={"manifest": metadata.manifest_hash, "code": metadata.code_hash},
    )
    recommender.write(path, shown)
