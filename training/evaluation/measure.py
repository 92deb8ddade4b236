"""Scores the held-out rows with all compared models in one pass, and measures the model overall and by segment.

Native LightGBM scores whole batches; golden records prove that SynapseML's transformer gives the same probabilities.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import Encoder
from features.schema import Schema
from training.evaluation.baselines import Logistic
from training.evaluation.metrics import Clicked, Evaluation, evaluate
from training.evaluation.segments import KnownOrNew, Slice, SlicedColumn, choose, keys_among, measure_segments
from training.kernels.columns import LABEL, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.model.fitted import Fitted
from training.model.native import lightgbm
from training.protocols import Scannable


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A version of the model: LightGBM's `text` and the encoder for the columns of its `schema`."""

    schema: Schema
    encoder: Encoder
    text: str


@dataclass(frozen=True, kw_only=True)
class Scores:
    """n held-out rows: whether they were clicked, bool[n], the probabilities of each model, float64[n], and for each
    column of segments which of these a row is in, int8[n], as bits.
    """

    clicked: Clicked
    probabilities: Sequence[npt.NDArray[np.float64]]
    segments: Sequence[npt.NDArray[np.int8]]


@dataclass(frozen=True, kw_only=True)
class _Scoring:
    """Scores prepared rows of `schema`, which has the columns of all `versions`; see `score`."""

    schema: Schema
    versions: tuple[Scored, ...]
    logistic: Logistic | None
    segmented: tuple[SlicedColumn | KnownOrNew, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        boosters = [lightgbm.Booster(model_str=version.text) for version in self.versions]
        for batch in batches:
            label, *columns = batch.columns
            rows = raw_rows(columns, self.schema)
            inputs = [rows.of(version.schema).encode(version.encoder) for version in self.versions]
            # One thread, because there is one such task per core.
            found = [one.predict(own, num_threads=1) for one, own in zip(boosters, inputs, strict=True)]
            if self.logistic is not None:
                found.append(self.logistic.probability(inputs[0]))
            segments = [column.bits(rows, self.versions[0].encoder) for column in self.segmented]
            arrays = [label.cast(pa.int8()), *map(pa.array, (*found, *segments))]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.types)

    @property
    def types(self) -> pa.Schema:
        """The label, a probability by each model, and the bits of each column of segments, by number."""
        models = len(self.versions) + (self.logistic is not None)
        kinds = [*[pa.float64()] * models, *[pa.int8()] * len(self.segmented)]
        return pa.schema([(LABEL, pa.int8()), *((str(number), kind) for number, kind in enumerate(kinds))])


def score(
    rows: Scannable,
    schema: Schema,
    *versions: Scored,
    logistic: Logistic | None = None,
    segmented: Sequence[SlicedColumn | KnownOrNew] = (),
) -> Scores:
    """The scores of prepared rows of `schema` by these versions, and at last by logistic regression on the first one's
    inputs.
    """
    function = _Scoring(schema=schema, versions=versions, logistic=logistic, segmented=tuple(segmented))
    table = rows.scan(Kernel(columns=(LABEL, *raw_columns(schema)), schema=function.types, function=function))
    label, *found = (column.to_numpy() for column in table.columns)
    models = len(found) - len(segmented)
    return Scores(clicked=label == 1, probabilities=found[:models], segments=found[models:])


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The evaluations; `logistic` is None if there is no logistic regression."""

    evaluation: Evaluation
    logistic: Evaluation | None
    slices: tuple[Slice, ...]
    keys: tuple[Slice, ...]
    """The rows of known and of new users and items."""


def measure(
    held_out: Scannable,
    schema: Schema,
    encoder: Encoder,
    fitted: Fitted,
    logistic: Logistic | None,
    *,
    texts: Sequence[pa.StringArray],
    keys: Sequence[str] = (),
    user: str | None = None,
) -> Measured:
    """Score and evaluate the prepared rows `held_out`; `texts` are the categories of some of them by column, `keys` the
    columns of users and items, and `user` that of users.

    Raises `EvaluationError` if nothing can be measured.
    """
    segmented: list[SlicedColumn | KnownOrNew] = [
        *choose(encoder, schema, fitted.importance, texts, user),
        *keys_among(schema, keys),
    ]
    scored = Scored(schema=schema, encoder=encoder, text=fitted.text)
    found = score(held_out, schema, scored, logistic=logistic, segmented=segmented)
    evaluation, *others = (evaluate(found.clicked, probability) for probability in found.probabilities)
    slices: list[Slice] = []
    known: list[Slice] = []
    for column, bits in zip(segmented, found.segments, strict=True):
        name = schema.categories[column.index]
        parts = measure_segments(found.clicked, found.probabilities[0], bits, column=name, names=column.names)
        (known if isinstance(column, KnownOrNew) else slices).extend(parts)
    return Measured(
        evaluation=evaluation, logistic=others[0] if others else None, slices=tuple(slices), keys=tuple(known)
    )
