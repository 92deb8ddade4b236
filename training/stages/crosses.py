"""Searches for crosses, and factors, that improve the validation loss; the held-out rows stay unseen.

A candidate combines a column of the users with one of the items; keys count if they are features. Each is tried alone.
Then they are added in the order of their gains, and kept if they still gain something beside the others. The factors of
both keys are tried last.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.columns import Category
from features.schema import Pair, Schema, cross_name, factors_name
from training.datasets.described.columns import locate
from training.datasets.described.spec import TablesSpec
from training.evaluation.measure import measure
from training.kernels.columns import FEATURES, LABEL, RECORD_HASH, matrix
from training.kernels.encode import FoldEncoder
from training.kernels.kernel import Kernel
from training.kernels.split import Part
from training.model.fitted import REFIT_ROWS
from training.model.native import lightgbm
from training.parameters import Calibration, TrainingParameters
from training.progress import Progress
from training.protocols import EncodedRows
from training.stages.pipeline import fold_encoder
from training.stages.trained import Half

STAGE = "crosses"
BEYOND_CHANCE = 3.0
"""How many standard errors of the row-wise difference a cross must gain. With ten useless crosses, one search in a
hundred would propose one."""
Losses = npt.NDArray[np.float64]
"""The log loss of each validation row, float64[n], in the order of their record hashes."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What the model reaches on the held-out rows with `added` and all that was added before it; first with nothing."""

    added: str
    auc: float
    log_loss: float


class Crosses(msgspec.Struct, frozen=True, kw_only=True):
    """The result: the crosses to configure, existing ones first, the factors, and what each addition reaches."""

    crosses: tuple[Pair, ...]
    factors: Pair | None
    steps: tuple[Step, ...]


def candidates(spec: TablesSpec) -> tuple[Pair, ...]:
    """The crosses to try: not the configured ones, nor that of both keys, which hardly two rows share."""
    located = locate(spec)
    texts = {table: [one.name for one in own if isinstance(one, Category)] for table, own in located.items()}
    keys = _keys(spec)
    users, items = (
        [*(key for key in texts["interactions"] if key == keys.get(table)), *texts.get(table, ())]
        for table in ("users", "items")
    )
    named, several = [set(pair) for pair in spec.crosses], spec.separators
    return tuple(
        pair
        for pair in product(users, items)
        if pair != tuple(keys.values()) and set(pair) not in named and not set(pair) <= several.keys()
    )


def factors_to_try(spec: TablesSpec) -> Pair | None:
    """Both keys, if they are features that can have factors and none are configured."""
    keys = _keys(spec)
    if spec.factors is not None or keys.keys() != {"users", "items"}:
        return None
    possible = set(keys.values()) <= set(spec.categorical_names) and not set(keys.values()) & spec.separators.keys()
    return (keys["users"], keys["items"]) if possible else None


def _keys(spec: TablesSpec) -> dict[str, str]:
    return {table: one.foreign_key for table, one in spec.entities.items()}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A model's losses on the validation rows, and the function that measures it on the held-out rows as a step."""

    losses: Losses
    held_out: Callable[[str], Step]


class CrossSearch:
    """A search on a dataset's prepared rows; counts and encodings go to `folder`."""

    def __init__(self, half: Half, parameters: TrainingParameters, *, folder: Path, progress: Progress) -> None:
        """Fit with these parameters; all machines of a cluster see `folder`."""
        self._half = half
        # The validation rows judge the crosses, so they must not be used for calibration or a refit.
        self._parameters = parameters.model_copy(update={"calibration": Calibration.NONE})
        self._folder = folder
        self._progress = progress
        self._named: tuple[Pair, ...] = () if half.schema.crosses is msgspec.UNSET else half.schema.crosses

    def run(self, tried: Sequence[Pair], factors: Pair | None = None) -> Crosses:
        """Try these crosses, and then the factors of two columns."""
        base = self.base
        before, steps = base.losses, [base.held_out("")]
        alone = dict(self._alone(tried, before))
        kept, after = self._named, before
        for cross in sorted(alone, key=lambda one: float(alone[one].mean())):
            if is_better(alone[cross], before):
                with_cross = self._tried((*kept, cross))
                if is_better(with_cross.losses, after):
                    kept, after = (*kept, cross), with_cross.losses
                    steps.append(with_cross.held_out(cross_name(cross)))
        if factors is not None:
            with_factors = self._tried(kept, factors)
            losses, name = with_factors.losses, factors_name(factors)
            self._progress(STAGE, f"{name}: validation log loss {losses.mean():.5f}, {after.mean():.5f} without")
            if is_better(losses, after):
                after = losses
                steps.append(with_factors.held_out(name))
            else:
                factors = None
        return Crosses(crosses=kept, factors=factors, steps=tuple(steps))

    def _alone(self, tried: Sequence[Pair], before: Losses) -> Iterator[tuple[Pair, Losses]]:
        for number, cross in enumerate(tried, start=1):
            losses = self._tried((*self._named, cross)).losses
            detail = f"{cross_name(cross)}: validation log loss {losses.mean():.5f}, {before.mean():.5f} without"
            self._progress(STAGE, detail, done=number, total=len(tried))
            yield cross, losses

    @cached_property
    def base(self) -> Tried:
        """A model with the configured crosses and factors."""
        encoded = self._half.encoded
        return self._fitted(self._half.schema, encoded.encoder, encoded.train)

    def _tried(self, crosses: tuple[Pair, ...], factors: Pair | None = None) -> Tried:
        """A model with these crosses, and these factors or the configured ones."""
        named = self._half.schema.factors if factors is None else factors
        schema = msgspec.structs.replace(self._half.schema, crosses=crosses, factors=named)
        train = self._half.prepared.part(Part.FIT, Part.VALIDATION).with_schema(schema)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        counted = train.count(self._parameters, self._folder / "counts")
        encoder = fold_encoder(counted, train, schema, self._parameters)
        return self._fitted(schema, encoder, train.encode(encoder, self._parameters, self._folder / "train"))

    def _fitted(self, schema: Schema, encoder: FoldEncoder, train: EncodedRows) -> Tried:
        fitted = train.fit(self._parameters, rows=REFIT_ROWS + 1, progress=self._progress)
        found = (
            train.part(Part.VALIDATION)
            .scan(_losing(fitted.text))
            .sort_by([(name, "ascending") for name in _LOST.names])
        )

        def held_out(added: str) -> Step:
            rows = self._half.prepared.part(Part.HELD_OUT).with_schema(schema)
            reached = measure(rows, schema, encoder.encoder, fitted, None).evaluation
            return Step(added=added, auc=reached.auc, log_loss=reached.log_loss)

        return Tried(losses=found.column("loss").to_numpy(), held_out=held_out)


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
        happened = np.where(label.to_numpy() == 1, probability, 1 - probability)
        yield pa.RecordBatch.from_arrays([record, label, pa.array(-np.log(happened))], schema=_LOST)
