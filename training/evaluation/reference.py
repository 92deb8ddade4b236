"""The baseline sample's histograms that a bundle keeps, and the drift of other rows from them.

Both are computed from bounded samples in this process: with 50,000 rows, chance adds less than 0.0005 to an index.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bundle import Bundle
from features.encoder import Encoder, RawRows
from features.reference import Histogram, Reference, chance_index, column_values, stability_index
from features.schema import Schema
from training.kernels.columns import RECORD_HASH, raw_columns, raw_rows, raw_types
from training.kernels.kernel import Kernel
from training.kernels.split import about
from training.model.native import lightgbm
from training.protocols import Scannable

ROWS = 50_000
"""The most rows of a sample."""
COLUMNS = 100
"""The most columns to watch for drift: those with the highest gain."""
DECIMALS = 6


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of one quantity: its population stability index."""

    name: str
    index: float


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of data from a model's baseline sample; `columns` with the largest index first."""

    rows: int
    chance: float
    """The mean index by chance alone."""
    prediction: Moved
    columns: tuple[Moved, ...]

    @property
    def worst(self) -> Moved:
        """The prediction or column with the highest index."""
        return max((self.prediction, *self.columns), key=lambda moved: moved.index)

    def scalars(self) -> dict[str, object]:
        """The indices as plain JSON values."""
        return {
            "rows": self.rows,
            "chance": self.chance,
            "prediction": self.prediction.index,
            "columns": {moved.name: moved.index for moved in self.columns},
        }


def sample(held_out: Scannable, schema: Schema, *, rows: int, seed: int) -> RawRows:
    """About `ROWS` of the `rows` prepared rows, chosen by content, so every run takes the same ones."""
    types = pa.schema([(RECORD_HASH, pa.int64()), *raw_types(schema)])
    columns = tuple(types.names)
    chosen = partial(_sample, rows=rows, seed=seed, columns=columns)
    table = held_out.scan(Kernel(columns=columns, schema=types, function=chosen))
    return raw_rows([table.column(name).combine_chunks() for name in raw_columns(schema)], schema)


def _sample(
    batches: Iterable[pa.RecordBatch], *, rows: int, seed: int, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        chosen = about(ROWS, batch.column(0).to_numpy(), rows=rows, seed=seed, purpose="reference")
        yield pa.RecordBatch.from_arrays(batch.filter(pa.array(chosen)).columns, names=columns)


def make_reference(sampled: RawRows, encoder: Encoder, model: str, importance: Mapping[str, float]) -> Reference:
    """The baseline histograms for LightGBM's `model`; `importance` is the gain of each input."""
    schema = sampled.schema
    inputs = sampled.encode(encoder)
    values = column_values(schema, inputs).T
    gains = {column.name: sum(importance[name] for name in column.inputs) for column in schema.columns}
    watched = set(sorted(gains, key=lambda name: -gains[name])[:COLUMNS])
    return Reference(
        prediction=Histogram.of(_predict(model, inputs)),
        columns={
            column.name: Histogram.of(own)
            for column, own in zip(schema.columns, values, strict=True)
            if column.name in watched
        },
    )


def compare(bundle: Bundle, sampled: RawRows) -> Drift | None:
    """The drift of `sampled` from the baseline of `bundle`; None if there is none, or if a column is missing."""
    clicks = bundle.clicks
    if clicks is None or clicks.reference is None or bundle.schema.lacking(sampled.schema) or len(sampled) == 0:
        return None
    inputs = sampled.of(bundle.schema).encode(clicks.encoder)
    names = (column.name for column in bundle.schema.columns)
    values = dict(zip(names, column_values(bundle.schema, inputs).T, strict=True))
    prediction = clicks.reference.prediction
    model = clicks.trees.read_text(encoding="utf-8")
    moved = [_moved(name, histogram, values[name]) for name, histogram in clicks.reference.columns.items()]
    return Drift(
        rows=len(sampled),
        chance=round(chance_index(len(prediction.rows), sum(prediction.rows), len(sampled)), DECIMALS),
        prediction=_moved("prediction", prediction, _predict(model, inputs)),
        columns=tuple(sorted(moved, key=lambda one: -one.index)),
    )


def _moved(name: str, histogram: Histogram, values: npt.NDArray[np.float64]) -> Moved:
    return Moved(name=name, index=round(stability_index(histogram.rows, histogram.count(values)), DECIMALS))


def _predict(model: str, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(lightgbm.Booster(model_str=model).predict(inputs), dtype=np.float64)
