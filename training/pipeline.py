"""A training run from rows to a sealed bundle, stage by stage."""

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own documentation uses

from features.bundle import BUNDLE_FORMAT, REPORT, Bundle, Metadata, Verdict
from features.schema import Schema
from training import datasets, report
from training.arguments import Arguments
from training.baselines import evaluate_baselines
from training.champion import Champion, evaluate_champion
from training.datasets.manifest import Manifest
from training.encode import FoldEncoder, count, encode, fold_encoder
from training.evaluate import Evaluation, evaluate
from training.fit import Fitted, fit, score
from training.gate import judge
from training.golden import golden_records
from training.prepare import RAW, Prepared, prepare
from training.progress import Progress
from training.publish import write_bundle
from training.quoting import column
from training.reachable import best_reachable
from training.result import Result, code_hash, library_versions, metrics
from training.split import PART, Part
from training.summary import column_summaries, split_summaries

WORK = "work"
"""The folder of a run that holds its intermediate files while it lasts."""
NOT_OF_THE_MODEL = {"driver_memory_gib"}
"""Parameters that change the run and not its model: a bundle does not tell where it was trained."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The rows as the model sees them: the training part out of fold, the held-out part as the service encodes it."""

    encoder: FoldEncoder
    counted: DataFrame
    train: DataFrame
    held_out: DataFrame


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
                rows=prepared.counts[Part.FIT] + prepared.counts[Part.VALIDATION],
                log=self._log,
                progress=self._progress,
            ),
        )

    def _prepare(self) -> tuple[Prepared, Schema]:
        with self._stage("read", "read and check the rows"):
            rows, schema = datasets.read(self._spark, self._arguments.dataset, self._arguments.data, self._progress)
        with self._stage("prepare", "hash and split the rows"):
            prepared = prepare(rows, schema, self._training, folder=self._work / "rows")
        # The checked rows that `read` has kept are on disk now.
        self._spark.catalog.clearCache()
        counts = prepared.counts
        self._progress(
            "prepare",
            f"{counts[Part.FIT]:,} rows to train on, {counts[Part.VALIDATION]:,} to stop early by, "
            f"{counts[Part.HELD_OUT]:,} held out",
        )
        return prepared, schema

    def _encode(self, prepared: Prepared, schema: Schema) -> Encoded:
        train = prepared.part(Part.FIT, Part.VALIDATION)
        rows = prepared.counts[Part.FIT] + prepared.counts[Part.VALIDATION]
        with self._stage("count", f"count the categories of {rows:,} rows"):
            counted = count(train, schema, self._training, folder=self._work / "counts")
            encoder = fold_encoder(counted, schema, self._training)
        values = len(encoder.encoder.hashes)
        with self._stage("encode", f"encode {rows:,} rows by {values:,} values"):
            out_of_fold = encode(train, schema, encoder, out_of_fold=True, extra=PART)
            held_out = encode(prepared.part(Part.HELD_OUT), schema, encoder, out_of_fold=False, extra=PART)
            return Encoded(
                encoder=encoder,
                counted=counted,
                train=self._stored(out_of_fold, "train"),
                held_out=self._stored(held_out, "held_out"),
            )

    def _stored(self, frame: DataFrame, name: str) -> DataFrame:
        path = (self._work / name).absolute().as_uri()
        frame.write.parquet(path)
        return self._spark.read.parquet(path)

    def _judge(self, trained: Trained) -> Judged:
        schema, encoded = trained.schema, trained.encoded
        held_out = trained.prepared.part(Part.HELD_OUT)
        raw = held_out.select(*map(column, [schema.label, *schema.numeric]), F.col(f"{RAW}.*"))
        with self._stage("evaluate", f"score {trained.prepared.counts[Part.HELD_OUT]:,} held-out rows"):
            evaluation = evaluate(score(encoded.held_out, schema, trained.fitted))
            reachable = best_reachable(raw, self._arguments.dataset, schema)
        with self._stage("baselines", "train and score the baselines"):
            baselines = evaluate_baselines(
                encoded.train, encoded.held_out, features=schema.encoded_features, label=schema.label
            )
        champion = None
        if self._arguments.champion is not None:
            with self._stage("champion", "score the champion on the same rows"):
                champion = evaluate_champion(raw, Bundle.load(self._arguments.champion), schema, self._training)
        return Judged(
            evaluation=evaluation,
            baselines=baselines,
            champion=champion,
            best_reachable=reachable,
            verdict=judge(evaluation, baselines, champion, self._arguments.gate),
        )

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
