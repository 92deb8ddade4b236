"""Tries keys of users and items, their crosses and their factors as features of a drafted dataset config.

What each gains is measured on held-out rows: the latest ones, if the rows have a time. A cross combines a column of the
users with one of the items; keys count if they are features. Each is tried alone. Then they are added in the order of
their gains, and kept if they still gain something beside the others. The factors of both keys are tried last.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise, product
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pyarrow import parquet

from features.columns import Category, Number
from features.schema import Pair, Schema, cross_name, factors_name
from features.values import TimeFormat
from training import engines
from training.config import Categorical, TablesSpec, Time
from training.datasets import describe
from training.evaluation.measure import Scored, score
from training.evaluation.metrics import evaluate, losses
from training.init_data.guess import Gains
from training.kernels.columns import FEATURES, LABEL, RECORD_HASH, matrix
from training.kernels.encode import FoldEncoder
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import REFIT_ROWS
from training.model.native import lightgbm
from training.parameters import Calibration, Split, TablesDataset, TrainingParameters
from training.pipeline import Half, Pipeline, fold_encoder
from training.progress import Progress
from training.protocols import Rows
from training.request import TrainingRequest
from training.streams import LOG
from training.tables.columns import locate, table_rules
from training.tables.files import files_of, load_spec
from training.tables.texts import Beginning
from training.tables.typed import TableRules, normalized, pointed

STAGE = "crosses"
BEYOND_CHANCE = 3.0
"""How many standard errors of the row-wise difference a cross must gain. With ten useless crosses, one search in a
hundred would propose one."""
Losses = npt.NDArray[np.float64]
"""The log loss of each validation row, float64[n], in the order of their record hashes."""


@dataclass(frozen=True, kw_only=True)
class Crosses:
    """The result: the crosses and the factors that gain something, and the AUC on the held-out rows without any, then
    with each of them and all before it.
    """

    crosses: tuple[Pair, ...]
    factors: Pair | None
    reached: tuple[float, ...]


def candidates(spec: TablesSpec) -> tuple[Pair, ...]:
    """The crosses to try, but not that of both keys, which hardly two rows share."""
    located = locate(spec)
    texts = {table: [one.name for one in own if isinstance(one, Category)] for table, own in located.items()}
    keys = _keys(spec)
    users, items = (
        [*(key for key in texts["interactions"] if key == keys.get(table)), *texts.get(table, ())]
        for table in ("users", "items")
    )
    keys_alone, several = tuple(keys.values()), spec.separators.keys()
    return tuple(pair for pair in product(users, items) if pair != keys_alone and not set(pair) <= several)


def factors_to_try(spec: TablesSpec) -> Pair | None:
    """Both keys, if they are features that can have factors."""
    keys = _keys(spec)
    if keys.keys() != {"users", "items"} or not {*keys.values()} <= {*spec.categorical_names} - {*spec.separators}:
        return None
    return keys["users"], keys["items"]


def _keys(spec: TablesSpec) -> dict[str, str]:
    return {table: one.foreign_key for table, one in spec.entities.items()}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A model's losses on the validation rows, and the function that measures its AUC on the held-out rows."""

    losses: Losses
    auc: Callable[[], float]


class CrossSearch:
    """A search on a dataset's prepared rows; counts and encodings go to `folder`."""

    def __init__(self, half: Half, parameters: TrainingParameters, *, folder: Path, progress: Progress) -> None:
        """Fit with these parameters; all machines of a cluster see `folder`."""
        self._half = half
        # The validation rows judge the crosses, so they must not be used for calibration or a refit.
        self._parameters = parameters.model_copy(update={"calibration": Calibration.NONE})
        self._folder = folder
        self._progress = progress

    def run(self, pairs: Sequence[Pair], factors: Pair | None = None) -> Crosses:
        """Try these crosses, and then the factors of two columns."""
        before = self.base.losses
        alone: dict[Pair, Losses] = {}
        for number, cross in enumerate(pairs, start=1):
            alone[cross] = self._tried((cross,)).losses
            self._say(cross_name(cross), alone[cross], before, done=number, total=len(pairs))
        kept: tuple[Pair, ...] = ()
        best, reached = before, [self.base.auc()]
        for cross in sorted(alone, key=lambda one: float(alone[one].mean())):
            if is_better(alone[cross], before):
                with_cross = self._tried((*kept, cross))
                if is_better(with_cross.losses, best):
                    kept, best = (*kept, cross), with_cross.losses
                    reached.append(with_cross.auc())
        if factors is not None:
            with_factors = self._tried(kept, factors)
            self._say(factors_name(factors), with_factors.losses, best)
            if is_better(with_factors.losses, best):
                reached.append(with_factors.auc())
            else:
                factors = None
        return Crosses(crosses=kept, factors=factors, reached=tuple(reached))

    def _say(self, name: str, losses: Losses, before: Losses, **done: int) -> None:
        detail = f"{name}: validation log loss {losses.mean():.5f}, {before.mean():.5f} without"
        self._progress(STAGE, detail, **done)

    @cached_property
    def base(self) -> Tried:
        """A model without crosses and factors."""
        return self._fitted(self._half.schema, self._half.encoder, self._half.train)

    def _tried(self, crosses: tuple[Pair, ...], factors: Pair | None = None) -> Tried:
        """A model with these crosses and factors."""
        schema = msgspec.structs.replace(self._half.schema, crosses=crosses, factors=factors)
        train = self._half.prepared.part(Part.FIT, Part.VALIDATION).with_schema(schema)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        counted = train.count(self._parameters, self._folder / "counts")
        encoder = fold_encoder(counted, train, schema, self._parameters)
        return self._fitted(schema, encoder, train.encode(encoder, self._parameters, self._folder / "train"))

    def _fitted(self, schema: Schema, encoder: FoldEncoder, train: Rows) -> Tried:
        fitted = train.fit(self._parameters, rows=REFIT_ROWS + 1, progress=self._progress)
        validation = train.part(Part.VALIDATION).scan(_losing(fitted.text))
        ordered = validation.sort_by([(name, "ascending") for name in _LOST.names])

        def auc() -> float:
            rows = self._half.prepared.part(Part.HELD_OUT).with_schema(schema)
            found = score(rows, schema, Scored(schema=schema, encoder=encoder.encoder, text=fitted.text))
            return evaluate(found.clicked, found.probabilities[0]).auc

        return Tried(losses=ordered.column("loss").to_numpy(), auc=auc)


def is_better(losses: Losses, than: Losses) -> bool:
    """Whether one model's losses on the same rows are lower than another's, beyond chance."""
    gained = than - losses
    return bool(gained.mean() > BEYOND_CHANCE * gained.std() / np.sqrt(len(gained)))


_LOST = pa.schema([(RECORD_HASH, pa.int64()), (LABEL, pa.int8()), ("loss", pa.float64())])


def _losing(model: str) -> Kernel:
    """The log loss of each encoded row by LightGBM's `model`, for at most `MAX_VALIDATION_ROWS` rows."""
    return Kernel(columns=(RECORD_HASH, LABEL, FEATURES), schema=_LOST, function=partial(_lost, model=model))


def _lost(batches: Iterable[pa.RecordBatch], *, model: str) -> Iterator[pa.RecordBatch]:
    booster = lightgbm.Booster(model_str=model)
    for batch in batches:
        record, label, inputs = batch.columns
        probability = np.asarray(booster.predict(matrix(inputs, booster.num_feature()), num_threads=1))
        lost = losses(label.to_numpy() == 1, probability)
        yield pa.RecordBatch.from_arrays([record, label, pa.array(lost)], schema=_LOST)


SAMPLE_ROWS = 100_000
"""Trials use only the first interactions, this many: about 20 CPU seconds with six crosses."""
_PLACE = "_place"
"""The time of rows without one, by which no two are equal."""
_MOST_BYTES = 200_000_000
"""A table of users or items larger than this is not read for a trial."""


def try_keys(spec: TablesSpec, keys: Sequence[str], *, folder: Path, progress: Progress) -> Gains | None:
    """Train without and with these columns of the interactions as categories; None if a table is too large for that.

    Where the keys are the only features, nothing is trained without them, and they gain 0.
    Intermediate files go to `folder`. Raises a `DatasetError` if the rows can't be trained on.
    """
    files = (files_of(spec.tables[name]) for name in spec.joined)
    if any(sum(file.size for file in own) > _MOST_BYTES for own in files):
        return None
    sample = _sampled(spec, folder)
    added = tuple(Categorical(column=key) for key in keys if key not in spec.categorical_names)
    keyed = sample.model_copy(update={"categorical": (*added, *spec.categorical)})
    split = Split.RANDOM if spec.timestamp is None else Split.TIME
    with _search(keyed, folder / "keyed", split, progress) as search:
        found, keyed_losses = search.run(candidates(keyed), factors_to_try(keyed)), search.base.losses
    without, beyond_chance = found.reached[0], False
    if added:
        # The keys are hashed in any case, so the same rows are held out, and watched, as with them.
        with _search(sample, folder / "plain", split, progress) as search:
            plain = search.base
            without, beyond_chance = plain.auc(), is_better(keyed_losses, plain.losses)
    gained = [after - before for before, after in pairwise((without, *found.reached))]
    return Gains(
        rows="held-out rows" if spec.timestamp is None else "later rows",
        without=without,
        keys=gained[0] if beyond_chance else min(gained[0], 0.0),
        crosses=dict(zip(found.crosses, gained[1:], strict=False)),
        factors={} if found.factors is None else {found.factors: gained[-1]},
    )


@contextmanager
def _search(spec: TablesSpec, folder: Path, split: Split, progress: Progress) -> Iterator[CrossSearch]:
    folder.mkdir()
    file = folder / "dataset.yaml"
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    dataset = TablesDataset(kind="tables", spec=file)
    arguments = TrainingRequest(dataset=dataset, training=TrainingParameters(split=split))
    manifest = describe(dataset)
    opened = engines.opened(arguments.training, log=folder / LOG, progress=progress, data_size=manifest.size)
    with opened as engine:
        half = Pipeline(engine, arguments, manifest, load_spec(file), output=folder, progress=progress).first_half()
        yield CrossSearch(half, arguments.training, folder=folder / "crosses", progress=progress)


def _sampled(spec: TablesSpec, folder: Path) -> TablesSpec:
    """The config of the first `SAMPLE_ROWS` interactions with their users and items, which are copied to `folder`."""
    rules = table_rules(spec)
    own = _first_rows(rules["interactions"], SAMPLE_ROWS)
    if spec.timestamp is None:
        # Equal rows with different labels fall on one side together, so their keys would seem to gain.
        own = own.append_column(_PLACE, pa.array(map(str, range(len(own))), pa.string()))
        spec = spec.model_copy(update={"timestamp": Time(column=_PLACE, format=TimeFormat.MILLISECONDS)})
    tables = {"interactions": own}
    for name, entity in spec.joined.items():
        table = _first_rows(rules[name])
        rule = entity.keys.rule
        known = normalized(own.column(entity.foreign_key).combine_chunks(), rule)
        tables[name] = table.filter(pc.is_in(normalized(table.column(entity.key).combine_chunks(), rule), known))
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        parquet.write_table(table, paths[name])
    return spec.with_tables(path=paths, decimal=dict.fromkeys(paths, "."))


def _first_rows(rules: TableRules, most: int | None = None) -> pa.Table:
    numbers = {one.name for one in rules.features if isinstance(one, Number)}
    numbers |= {rules.label.column} if rules.label and not rules.label.of_texts else set()
    batches, rows = [], 0
    for chunk in Beginning(rules.files, rules.columns):
        texts = chunk.texts().items()
        with_points = {name: pointed(one, rules.source.decimal) if name in numbers else one for name, one in texts}
        batches.append(pa.RecordBatch.from_pydict(with_points))
        rows += batches[-1].num_rows
        if most is not None and rows >= most:
            break
    return pa.Table.from_batches(batches).slice(0, most)
