"""A training run from rows to a sealed bundle, stage by stage."""

import hashlib
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from features.bundle import REPORT, Metadata
from features.encoder import MAX_ROWS, thresholds
from features.schema import Schema
from recommend.judgement import Judgement
from recommend.stored import FOLDER as SNAPSHOTS
from training import report, work
from training.datasets import tables_of, user_column
from training.datasets.described.kept import kept
from training.datasets.manifest import Manifest
from training.evaluation.golden import golden_records
from training.kernels.encode import FoldEncoder
from training.kernels.hashed import NUMBER
from training.kernels.split import Part
from training.parameters import TrainingParameters
from training.progress import Progress
from training.protocols import CountTable, Scannable, TrainingEngine
from training.request import TrainingRequest
from training.result import Result, metrics
from training.stages.factored import with_factors
from training.stages.judged import Judged, judge_model
from training.stages.prepared import Prepared, prepare
from training.stages.provenance import training_code_hash
from training.stages.publish import NOT_OF_THE_MODEL, ClickParts, metadata_of, write_bundle
from training.stages.recommended import STAGE, Recommending, recommending
from training.stages.summary import column_summaries, split_summaries
from training.stages.trained import Encoded, Half, Trained


class Pipeline:
    """One training run with its engine and its folders."""

    def __init__(
        self,
        engine: TrainingEngine,
        arguments: TrainingRequest,
        manifest: Manifest,
        *,
        output: Path,
        progress: Progress,
    ) -> None:
        """Train as `arguments` say and write the bundle to `output / "bundle"`."""
        self._engine = engine
        self._arguments = arguments
        self._manifest = manifest
        self._training = arguments.training.model_copy(update={"engine": engine.name})
        self._output = output
        self._work = arguments.work or output / work.FOLDER
        self._progress = progress

    def run(self) -> Result:
        """Train, evaluate, judge and write the bundle; intermediate files are always removed."""
        found = work.begin(self._work, self._inputs())
        if found:
            self._progress("start", f"continue after {', '.join(found)}, which an earlier run had finished")
        try:
            trained = self._train()
            judged = judge_model(trained, self._arguments, self._stage)
            for warning in judged.warnings:
                self._progress("evaluate", warning)
            factors = self._engine.factors(self._training.seed)
            recommended = recommending(self._arguments, self._stage, self._output / SNAPSHOTS, factors)
            if recommended is not None:
                self._progress(STAGE, recommended.judgement.reason)
            return self._finish(trained, judged, recommended)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _inputs(self) -> str:
        """A hash of everything that intermediate files depend on."""
        parameters = self._training.model_dump_json(exclude=NOT_OF_THE_MODEL)
        passed_over = sorted(self._arguments.passed_over.users)
        inputs = f"{self._manifest.hash} {training_code_hash()} {parameters} {passed_over}"
        return hashlib.sha256(inputs.encode()).hexdigest()

    def first_half(self) -> Half:
        """Prepare and encode the rows: everything before the fit."""
        prepared, schema = self._prepare()
        return Half(schema=schema, prepared=prepared, encoded=self._encode(prepared, schema))

    def _train(self) -> Trained:
        half = self.first_half()
        rows = half.prepared.training_rows
        fitted = half.encoded.train.fit(self._training, rows=rows, progress=self._progress)
        return Trained(schema=half.schema, prepared=half.prepared, encoded=half.encoded, fitted=fitted)

    def _prepare(self) -> tuple[Prepared, Schema]:
        with self._stage("read", "find the rows"):
            source = self._engine.open_source(
                self._arguments.dataset, self._arguments.data, self._progress, self._arguments.passed_over
            )
        with self._stage("prepare", "check, hash and split the rows"):
            prepared = prepare(source, self._training, folder=self._work / "rows")
        counts = prepared.counts
        self._progress(
            "prepare",
            f"{counts[Part.FIT]:,} rows to train on, {counts[Part.VALIDATION]:,} to stop early by, "
            f"{counts[Part.HELD_OUT]:,} held out",
        )
        return prepared, source.schema

    def _encode(self, prepared: Prepared, schema: Schema) -> Encoded:
        train = prepared.part(Part.FIT, Part.VALIDATION)
        rows = prepared.training_rows
        with self._stage("count", f"count the categories of {rows:,} rows"):
            counted = train.count(self._training, self._work / "counts")
            encoder = fold_encoder(counted, train, schema, self._training)
        values = len(encoder.encoder.hashes)
        with self._stage("encode", f"encode {rows:,} rows by {values:,} values"):
            return Encoded(
                encoder=encoder, counted=counted, train=train.encode(encoder, self._training, self._work / "train")
            )

    def _finish(self, trained: Trained, judged: Judged, recommended: Recommending | None) -> Result:
        from training.report import page  # noqa: PLC0415 - Matplotlib takes a second; wrong data is reported before

        target = self._output / "bundle"
        with self._stage("bundle", "write the bundle"):
            judgement = None if recommended is None else recommended.judgement
            metadata = self._metadata(trained, judged, judgement)
            shown = self._report(trained, judged, metadata, judgement)
            bundle_hash = write_bundle(
                target,
                schema=trained.schema,
                metadata=metadata,
                clicks=_click_parts(trained, judged, user_column(self._arguments.dataset, self._arguments.data)),
                recommender=None if recommended is None else recommended.recommender,
                write_report=lambda path: page.write(path, shown),
            )
        return Result(
            metrics=metadata.metrics,
            bundle=str(target),
            bundle_hash=bundle_hash,
            verdict=judged.verdict,
            report=str(target / REPORT),
            rows={part.value: trained.prepared.counts[part] for part in Part},
            seconds=self._progress.seconds,
        )

    def _metadata(self, trained: Trained, judged: Judged, judgement: Judgement | None) -> Metadata:
        return metadata_of(
            self._engine,
            self._manifest,
            self._training,
            metrics=metrics(
                judged.evaluation,
                judged.baselines,
                judged.champion,
                judged.best,
                judged.best_reachable,
                best_iteration=trained.fitted.best_iteration,
                scaling=trained.fitted.scaling,
                slices=judged.slices,
                keys=judged.keys,
                warnings=judged.warnings,
                recommender=judgement,
            ),
            verdict=judged.verdict,
            held_out=trained.prepared.held_out,
        )

    def _report(
        self, trained: Trained, judged: Judged, metadata: Metadata, judgement: Judgement | None
    ) -> report.ReportData:
        fitted = trained.fitted
        return report.ReportData(
            dataset=self._manifest.description,
            verdict=judged.verdict,
            evaluation=judged.evaluation,
            baselines=judged.baselines,
            champion=judged.champion,
            best=judged.best,
            best_reachable=judged.best_reachable,
            slices=judged.slices,
            keys=judged.keys,
            warnings=judged.warnings,
            importance=fitted.importance,
            learning_curve=report.LearningCurve(validation=fitted.losses, best_iteration=fitted.best_iteration),
            rows=self._rows(trained.prepared),
            splits=split_summaries(trained.prepared),
            columns=column_summaries(trained.prepared, trained.encoded.counted, trained.schema),
            parameters=self._training,
            gate=self._arguments.gate,
            versions=metadata.library_versions,
            hashes={"manifest": metadata.manifest_hash, "code": metadata.code_hash},
            equal_rows_numbered=NUMBER in trained.prepared.held_out.fields,
            recommender=judgement,
        )

    def _rows(self, prepared: Prepared) -> str:
        spec = tables_of(self._arguments.dataset, self._arguments.data)
        return "" if spec is None else kept(prepared.found, spec)

    def _stage(self, name: str, detail: str) -> AbstractContextManager[None]:
        return self._engine.stage(self._progress, name, detail)


def _click_parts(trained: Trained, judged: Judged, user: str | None) -> ClickParts:
    """The click model; its golden records hold nothing of the column `user`."""
    held_out, own = trained.prepared.part(Part.HELD_OUT), trained.encoded.encoder.encoder
    encoder, golden = golden_records(held_out, trained.schema, own, trained.fitted, user)
    return ClickParts(
        trees=trained.fitted.text,
        encoder=encoder,
        golden=golden,
        reference=judged.reference,
    )


def fold_encoder(counted: CountTable, rows: Scannable, schema: Schema, parameters: TrainingParameters) -> FoldEncoder:
    """The encoders for these counted rows; `features.encoder.thresholds` decides which values get an entry."""
    needed = thresholds(counted.values_by_rows(MAX_ROWS), min_category_rows=parameters.min_category_rows)
    values = counted.frequent(needed)
    return with_factors(FoldEncoder.of(values, schema, parameters), values, rows, parameters)
