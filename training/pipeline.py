"""A training run from rows to a sealed bundle, stage by stage."""

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from features.bundle import BUNDLE_FORMAT, REPORT, Bundle, Metadata, Verdict
from features.schema import Schema
from training import datasets, report
from training.arguments import Arguments
from training.baselines import BASE_RATE, LOGISTIC_REGRESSION, Logistic, base_rate, fit_logistic, sample
from training.champion import Champion, evaluate_champion
from training.datasets.manifest import Manifest
from training.encode import FoldEncoder, count, encode, fold_encoder
from training.evaluate import Evaluation, evaluate_bins, score_bins
from training.fit import Fitted, fit
from training.gate import judge
from training.golden import golden_records
from training.prepare import Prepared, as_they_were, prepare
from training.progress import Progress
from training.publish import write_bundle
from training.reachable import best_reachable
from training.result import Result, code_hash, library_versions, metrics
from training.score import score_held_out
from training.split import PART, RECORD_HASH, Part
from training.summary import column_summaries, split_summaries

WORK = "work"
"""The folder of a run that holds its intermediate files while it lasts."""
NOT_OF_THE_MODEL = {"driver_memory_gib"}
"""Parameters that change the run and not its model: a bundle does not tell where it was trained."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The training rows as the model sees them, and the encoder for all others."""

    encoder: FoldEncoder
    counted: DataFrame
    train: DataFrame


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model and what it was made from."""

    schema: Schema
    prepared: Prepared
    encoded: Encoded
    fitted: Fitted


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The model beside everything that it is compared with, on the same held-out rows."""

    evaluation: Evaluation
    baselines: Mapping[str, Evaluation]
    champion: Champion | None
    best_reachable: report.BestReachable | None
    verdict: Verdict


class Pipeline:
    """One training run with its Spark session, its folder for the bundle and its folder for intermediate files."""

    def __init__(
        self,
        spark: SparkSession,
        arguments: Arguments,
        manifest: Manifest,
        *,
        output: Path,
        log: Path,
        progress: Progress,
    ) -> None:
        """Train as `arguments` say and put the bundle into `output / "bundle"`; `log` is the session's log."""
        self._spark = spark
        self._arguments = arguments
        self._manifest = manifest
        self._training = arguments.training
        self._output = output
        self._work = arguments.work or output / WORK
        self._log = log
        self._progress = progress

    def run(self) -> Result:
        """Train, evaluate, judge and write the bundle; intermediate files go whatever happens."""
        shutil.rmtree(self._work, ignore_errors=True)
        try:
            trained = self._train()
            return self._finish(trained, self._judge(trained))
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _train(self) -> Trained:
        prepared, schema = self._prepare()
        encoded = self._encode(prepared, schema)
        return Trained(
            schema=schema,
            prepared=prepared,
            encoded=encoded,
            fitted=fit(
                encoded.train,
                schema,
                self._training,
                rows=prepared.training_rows,
                log=self._log,
                progress=self._progress,
            ),
        )

    def _prepare(self) -> tuple[Prepared, Schema]:
        with self._stage("read", "find the rows"):
            source = datasets.open_source(self._spark, self._arguments.dataset, self._arguments.data, self._progress)
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
            counted = count(train, schema, self._training, folder=self._work / "counts")
            encoder = fold_encoder(counted, schema, self._training)
        values = len(encoder.encoder.hashes)
        with self._stage("encode", f"encode {rows:,} rows by {values:,} values"):
            encoded = encode(train, schema, encoder, out_of_fold=True, extra=[PART, RECORD_HASH])
            return Encoded(encoder=encoder, counted=counted, train=self._stored(encoded, "train"))

    def _stored(self, frame: DataFrame, name: str) -> DataFrame:
        path = (self._work / name).absolute().as_uri()
        frame.write.parquet(path)
        return self._spark.read.parquet(path)

    def _judge(self, trained: Trained) -> Judged:
        schema, prepared = trained.schema, trained.prepared
        held_out = prepared.part(Part.HELD_OUT)
        with self._stage("baselines", "fit the baselines"):
            logistic = self._logistic(trained)
        with self._stage("evaluate", f"score {prepared.counts[Part.HELD_OUT]:,} held-out rows"):
            scored = score_held_out(
                held_out,
                schema,
                trained.encoded.encoder.encoder,
                model=trained.fitted.text,
                others=[] if logistic is None else [logistic.probability],
            )
            measured = [evaluate_bins(bins) for _, bins in sorted(score_bins(scored).items())]
            reachable = best_reachable(held_out, self._arguments.dataset, schema)
        evaluation = measured[0]
        rate = prepared.training_clicks / prepared.training_rows
        baselines = {BASE_RATE: base_rate(evaluation, rate=rate)}
        if logistic is not None:
            baselines[LOGISTIC_REGRESSION] = measured[1]
        champion = None
        if self._arguments.champion is not None:
            with self._stage("champion", "score the champion on the same rows"):
                raw = as_they_were(held_out, schema)
                champion = evaluate_champion(raw, Bundle.load(self._arguments.champion), schema, self._training)
        return Judged(
            evaluation=evaluation,
            baselines=baselines,
            champion=champion,
            best_reachable=reachable,
            verdict=judge(evaluation, baselines, champion, self._arguments.gate),
        )

    def _logistic(self, trained: Trained) -> Logistic | None:
        rows, label = trained.prepared.training_rows, trained.schema.label
        chosen = sample(trained.encoded.train, rows=rows, label=label, seed=self._training.seed)
        return fit_logistic(*chosen)

    def _finish(self, trained: Trained, judged: Judged) -> Result:
        target = self._output / "bundle"
        with self._stage("bundle", "write the bundle"):
            metadata = self._metadata(trained, judged)
            page = self._report(trained, judged, metadata)
            held_out = trained.prepared.part(Part.HELD_OUT)
            bundle_hash = write_bundle(
                target,
                model=trained.fitted.text,
                encoder=trained.encoded.encoder.encoder,
                schema=trained.schema,
                metadata=metadata,
                golden=golden_records(held_out, trained.schema, trained.encoded.encoder, trained.fitted),
                counted=trained.encoded.counted,
                work=self._work,
                write_report=lambda path: report.write(path, page),
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

    def _metadata(self, trained: Trained, judged: Judged) -> Metadata:
        return Metadata(
            bundle_format=BUNDLE_FORMAT,
            manifest_hash=self._manifest.hash,
            code_hash=code_hash(),
            seed=self._training.seed,
            hyperparameters=self._training.model_dump(mode="json", exclude=NOT_OF_THE_MODEL),
            library_versions=library_versions(),
            metrics=metrics(
                judged.evaluation,
                judged.baselines,
                judged.champion,
                judged.best_reachable,
                best_iteration=trained.fitted.best_iteration,
            ),
            verdict=judged.verdict,
        )

    def _report(self, trained: Trained, judged: Judged, metadata: Metadata) -> report.ReportData:
        fitted = trained.fitted
        return report.ReportData(
            dataset=self._manifest.description,
            verdict=judged.verdict,
            evaluation=judged.evaluation,
            baselines=judged.baselines,
            champion=judged.champion,
            best_reachable=judged.best_reachable,
            importance=fitted.importance,
            learning_curve=report.LearningCurve(validation=fitted.losses, best_iteration=fitted.best_iteration),
            splits=split_summaries(trained.prepared),
            columns=column_summaries(trained.prepared, trained.encoded.counted, trained.schema),
            parameters=self._training,
            gate=self._arguments.gate,
            versions=metadata.library_versions,
            hashes={"manifest": metadata.manifest_hash, "code": metadata.code_hash},
        )

    def _stage(self, name: str, detail: str) -> AbstractContextManager[None]:
        return self._progress.tasks(self._spark.sparkContext, name, detail)
