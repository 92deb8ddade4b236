"""A training run from rows to a sealed bundle, stage by stage.

The rows are checked, hashed, split, counted and encoded, and trees are fitted; the model is compared with baselines and
earlier versions, and the gate decides.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from features.bundle import Bundle, BundleError, HeldOut
from features.errors import PersonalizationError
from features.schema import Schema
from recommend.stored import FOLDER as SNAPSHOTS
from training import work
from training.bundle import NOT_OF_THE_MODEL, ClickParts, dataset_hash_of, metadata_of, write_bundle
from training.config import TablesSpec
from training.datasets.manifest import Manifest
from training.evaluation import reference
from training.evaluation.baselines import BASE_RATE, LOGISTIC_REGRESSION, base_rate, fit_logistic, leak_warnings, sample
from training.evaluation.gate import Candidate, EarlierVersion, Judged, judge
from training.evaluation.golden import golden_records
from training.evaluation.measure import Scored, measure
from training.evaluation.reachable import best_reachable
from training.evaluation.reference import Sampled
from training.kernels import factors, split
from training.kernels.encode import MAX_ROWS, FoldEncoder, FrequentValues, thresholds
from training.kernels.split import Part, SplitError
from training.model.fitted import Fitted
from training.parameters import Split, TrainingParameters
from training.progress import Progress
from training.protocols import CountTable, Rows, Scannable, TrainingEngine
from training.provenance import training_code_hash
from training.recommending import STAGE, Recommending, recommending
from training.report.data import ColumnSummary, ReportData
from training.request import TrainingRequest
from training.result import Result, metrics
from training.tables.columns import hashed_of, keys_by_column
from training.tables.progress import Reporter
from training.tables.quick import kept
from training.tables.refunds import FAR_AFTER


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Divided rows, and their counts."""

    rows: Rows
    counts: dict[Part, int]
    clicks: dict[Part, int]
    missing: tuple[int, ...]
    """Training rows without each of the numeric values."""
    held_out: HeldOut
    found: Mapping[str, int]
    """What was counted while the rows were read."""

    def part(self, *parts: Part) -> Rows:
        """The rows of these parts."""
        return self.rows.part(*parts)

    @property
    def training_rows(self) -> int:
        """The rows to fit on and to stop early by."""
        return self.counts[Part.FIT] + self.counts[Part.VALIDATION]


def prepare(
    engine: TrainingEngine, spec: TablesSpec, parameters: TrainingParameters, *, folder: Path, report: Reporter
) -> Prepared:
    """Write the rows of tables to `folder`, unless they are there already, and divide them.

    Raises a `DatasetError` for malformed rows, and `SplitError` if a part has no rows or only one class.
    """
    rows, counted = engine.prepare(spec, folder, report)
    divided, schema = rows.divided(parameters, count=counted["rows"]), spec.joined_schema
    found = split.Tally.of(divided.scan(split.tallying(schema)))
    for part in Part:
        _check_part(part, found.rows[part], found.clicks[part], parameters)
    return Prepared(
        rows=divided,
        counts=found.rows,
        clicks=found.clicks,
        missing=found.missing,
        found=counted,
        held_out=HeldOut(fields=hashed_of(spec), timestamp=schema.timestamp, since=divided.held_out_from),
    )


def _check_part(part: Part, rows: int, clicks: int, parameters: TrainingParameters) -> None:
    name = part.value.replace("_", "-")
    if rows == 0 and parameters.split is Split.TIME:
        raise SplitError(
            f"There are no {name} rows. `split: time` keeps rows of one time together: give rows of more different "
            "times, change `train_fraction`, or set `split: random`."
        )
    if rows == 0:
        raise SplitError(f"There are no {name} rows. Give more rows, or change `train_fraction`.")
    if clicks in {0, rows}:
        raise SplitError(
            f"All {rows:,} {name} rows have the label {int(clicks > 0)}, and a model needs both. "
            "Check the label's rule, or give more rows."
        )


@dataclass(frozen=True, kw_only=True)
class Half:
    """A run up to the fit: the encoded training rows, their counts, and the encoder for all other rows."""

    spec: TablesSpec
    prepared: Prepared
    encoder: FoldEncoder
    counted: CountTable
    train: Rows

    @property
    def schema(self) -> Schema:
        """The columns of the rows."""
        return self.spec.joined_schema

    @property
    def user(self) -> str | None:
        """The column of users' keys, None without users."""
        return None if self.spec.users is None else self.spec.users.foreign_key


Stage = Callable[[str, str], AbstractContextManager[None]]
"""Opens a stage with a name and a description, for the duration of a block."""
MOST_FACTORED_ROWS = 5_000_000
"""Training rows that factors are fitted from at most: all their pairs come together in one process."""


class FactorsError(PersonalizationError):
    """Factors of more rows than they are fitted from."""


def with_factors(
    encoder: FoldEncoder, values: FrequentValues, rows: Scannable, parameters: TrainingParameters
) -> FoldEncoder:
    """The encoder with the factors that its schema names, from the divided training rows of which these are the values.

    Each fold's rows get those that the rows outside of it give. Raises `FactorsError` where there are too many rows.
    """
    pair = encoder.schema.factored
    if pair is None:
        return encoder
    columns, names = (pair.first.index, pair.second.index), f"{pair.first.name} and {pair.second.name}"
    counted = int(values.rows[values.column == columns[0]].sum())
    if counted > MOST_FACTORED_ROWS:
        raise FactorsError(
            f"The factors of {names} would be fitted from {counted:,} rows in one process, which takes no more than "
            f"{MOST_FACTORED_ROWS:,}. Leave `factors` out of the dataset config, or train on fewer rows."
        )
    plain = encoder.encoder
    table = rows.scan(factors.pairs_counted(plain, encoder.schema, columns, folds=parameters.folds))
    pairs = factors.PairCounts.of(table, sizes=(plain.places(columns[0]), plain.places(columns[1])))
    return replace(
        encoder,
        encoder=replace(plain, factors=factors.fit(pairs, columns, seed=parameters.seed)),
        factors=tuple(
            factors.fit(pairs.without(fold), columns, seed=parameters.seed) for fold in range(parameters.folds)
        ),
    )


def judge_model(half: Half, fitted: Fitted, arguments: TrainingRequest, stage: Stage) -> tuple[Judged, Sampled]:
    """Evaluate a model on its held-out rows and judge it; also returns the baseline sample of these."""
    schema, prepared, encoder = half.schema, half.prepared, half.encoder.encoder
    held_out, seed = prepared.part(Part.HELD_OUT), arguments.training.seed
    count = prepared.counts[Part.HELD_OUT]
    with stage("baselines", "fit the baselines"):
        rows = sample(half.train, rows=prepared.training_rows, seed=seed)
        logistic = fit_logistic(*rows)
        warnings = leak_warnings(*rows, schema)
    with stage("evaluate", f"score {count:,} held-out rows"):
        sampled = reference.sample(held_out, schema, rows=count, seed=seed)
        keys, user = [*keys_by_column(half.spec)], half.user
        measured = measure(held_out, schema, encoder, fitted, logistic, texts=sampled.texts, keys=keys, user=user)
        reachable = best_reachable(held_out, arguments.dataset, schema)
    rate = (prepared.clicks[Part.FIT] + prepared.clicks[Part.VALIDATION]) / prepared.training_rows
    baselines = {BASE_RATE: base_rate(measured.evaluation, rate=rate)}
    if measured.logistic is not None:
        baselines[LOGISTIC_REGRESSION] = measured.logistic
    scored = Scored(schema=schema, encoder=encoder, text=fitted.text)
    candidate = Candidate(scored=scored, parameters=arguments.training, held_out=prepared.held_out)
    champion, best = None, _best(candidate, held_out, arguments, stage)
    if arguments.champion is not None:
        champion = _earlier(candidate, held_out, arguments.champion, arguments.champion_version, stage)
    judged = Judged(
        evaluation=measured.evaluation,
        baselines=baselines,
        champion=champion,
        best=best,
        best_reachable=reachable,
        slices=measured.slices,
        keys=measured.keys,
        warnings=warnings,
        verdict=judge(measured.evaluation, baselines, champion, arguments.gate, best=best),
    )
    return judged, sampled


def _earlier(candidate: Candidate, held_out: Rows, bundle: Path, version: int | None, stage: Stage) -> EarlierVersion:
    """An earlier version on the same held-out rows."""
    with stage("champion", "score an earlier version on the same rows"):
        return candidate.beside(held_out, Bundle.load(bundle, mapped=False), version=version)


def _best(candidate: Candidate, held_out: Rows, arguments: TrainingRequest, stage: Stage) -> EarlierVersion | None:
    """The best version kept, if it is another one. A bundle that can no longer be read does not stop the run."""
    if arguments.best is None:
        return None
    try:
        return _earlier(candidate, held_out, arguments.best, arguments.best_version, stage)
    except BundleError as error:
        reason = str(error).rstrip(".")
        return EarlierVersion(version=arguments.best_version, bundle_hash="", compared=None, not_comparable=reason)


def column_summaries(half: Half) -> list[ColumnSummary]:
    """One summary per column, including crosses, from the training rows."""
    rows, counted, schema = half.prepared.training_rows, half.counted, half.schema
    separators = {column.name: column.separator for column in schema.several}
    numbers = [
        ColumnSummary(name=column.name, role=column.role, missing_share=missing / rows)
        for column, missing in zip(schema.numbers, half.prepared.missing, strict=True)
    ]
    return numbers + [
        ColumnSummary(
            name=column.name,
            role=column.role,
            missing_share=counted.missing(column.index) / rows,
            distinct=counted.distinct(column.index),
            separator=separators.get(column.name),
        )
        for column in schema.encoded
    ]


class Pipeline:
    """One training run with its engine and its folders."""

    def __init__(
        self,
        engine: TrainingEngine,
        arguments: TrainingRequest,
        manifest: Manifest,
        spec: TablesSpec,
        *,
        output: Path,
        progress: Progress,
    ) -> None:
        """Train on the tables of `spec` as `arguments` say and write the bundle to `output / "bundle"`."""
        self._engine = engine
        self._arguments = arguments
        self._manifest = manifest
        self._spec = spec
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
            half = self.first_half()
            rows = half.prepared.training_rows
            fitted = half.train.fit(self._training, rows=rows, progress=self._progress)
            judged, sampled = judge_model(half, fitted, self._arguments, self._stage)
            for warning in judged.warnings:
                self._progress("evaluate", warning)
            recommended, spec = None, self._spec
            if spec.users is not None and spec.items is not None:
                recommended = recommending(
                    self._engine, spec, self._arguments, self._output / SNAPSHOTS, self._progress
                )
                self._progress(STAGE, recommended.judgement.reason)
            return self._finish(half, fitted, judged, sampled, recommended)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _inputs(self) -> str:
        """A hash of everything that intermediate files depend on."""
        parameters = self._training.model_dump_json(exclude=NOT_OF_THE_MODEL)
        passed_over = sorted(self._arguments.passed_over.users)
        inputs = f"{self._manifest.hash} {training_code_hash()} {parameters} {passed_over} {self._spec.share}"
        return hashlib.sha256(inputs.encode()).hexdigest()

    def first_half(self) -> Half:
        """Prepare and encode the rows: everything before the fit."""
        prepared, schema = self._prepare(), self._spec.joined_schema
        train, rows = prepared.part(Part.FIT, Part.VALIDATION), prepared.training_rows
        with self._stage("count", f"count the categories of {rows:,} rows"):
            counted = train.count(self._training, self._work / "counts")
            encoder = fold_encoder(counted, train, schema, self._training)
        with self._stage("encode", f"encode {rows:,} rows by {len(encoder.encoder.hashes):,} values"):
            encoded = train.encode(encoder, self._training, self._work / "train")
        return Half(spec=self._spec, prepared=prepared, encoder=encoder, counted=counted, train=encoded)

    def _prepare(self) -> Prepared:
        with self._stage("prepare", "check, hash and split the rows"):
            prepared = prepare(
                self._engine, self._spec, self._training, folder=self._work / "rows", report=self._progress
            )
        counts = prepared.counts
        self._progress(
            "prepare",
            f"{counts[Part.FIT]:,} rows to train on, {counts[Part.VALIDATION]:,} to stop early by, "
            f"{counts[Part.HELD_OUT]:,} held out",
        )
        return prepared

    def _finish(
        self, half: Half, fitted: Fitted, judged: Judged, sampled: Sampled, recommended: Recommending | None
    ) -> Result:
        prepared, schema, encoder = half.prepared, half.schema, half.encoder.encoder
        judgement = None if recommended is None else recommended.judgement
        far_after = 0 if recommended is None else recommended.found.get(FAR_AFTER, 0)
        with self._stage("bundle", "write the bundle"):
            golden = golden_records(sampled, encoder, fitted, half.user)
            histograms = reference.make_reference(sampled, encoder, fitted.text, fitted.importance)
            metadata = metadata_of(
                self._engine,
                self._manifest,
                self._training,
                dataset_hash=dataset_hash_of(self._spec, self._arguments.dataset),
                metrics=metrics(judged, fitted, judgement),
                verdict=judged.verdict,
                held_out=prepared.held_out,
            )
            shown = ReportData(
                dataset=self._manifest.description,
                **vars(judged),
                importance=fitted.importance,
                rows=kept({**prepared.found, FAR_AFTER: far_after}, self._spec),
                counts=prepared.counts,
                clicks=prepared.clicks,
                columns=column_summaries(half),
                parameters=self._training,
                gate=self._arguments.gate,
                versions=metadata.library_versions,
                hashes={"manifest": metadata.manifest_hash, "code": metadata.code_hash},
                recommender=judgement,
                examples=() if recommended is None else recommended.examples,
            )
            return write_bundle(
                self._output / "bundle",
                schema=schema,
                metadata=metadata,
                clicks=ClickParts(trees=fitted.text, encoder=encoder, golden=golden, reference=histograms),
                recommender=None if recommended is None else recommended.recommender,
                shown=shown,
                rows={part.value: prepared.counts[part] for part in Part},
                seconds=self._progress.seconds,
                counted={} if recommended is None else recommended.counted,
            )

    def _stage(self, name: str, detail: str) -> AbstractContextManager[None]:
        return self._engine.stage(self._progress, name, detail)


def fold_encoder(counted: CountTable, rows: Scannable, schema: Schema, parameters: TrainingParameters) -> FoldEncoder:
    """The encoders for these counted rows; `thresholds` decides which values get an entry."""
    needed = thresholds(counted.values_by_rows(MAX_ROWS), min_category_rows=parameters.min_category_rows)
    values = counted.frequent(needed)
    return with_factors(FoldEncoder.of(values, schema, parameters), values, rows, parameters)
