"""The reference that a bundle keeps, and how far a sample of other rows has moved from it.

Both come from a sample on the driver whose size is bounded: 50,000 rows put less than 0.0005 of chance into an index.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bundle import MODEL, Bundle
from features.encoder import Encoder
from features.reference import Histogram, Reference, chance_index, column_values, stability_index
from features.schema import Schema, encoded_category
from training.kernels.columns import (
    CATEGORIES,
    NUMBERS,
    RECORD_HASH,
    VALUES,
    RawInputs,
    chosen,
    raw_columns,
    raw_inputs,
)
from training.kernels.kernel import Kernel
from training.kernels.split import about
from training.model.native import lightgbm
from training.protocols import Scannable

ROWS = 50_000
"""Rows of a sample at most."""
COLUMNS = 100
"""Columns that are watched at most: those by which the model gains most."""
DECIMALS = 6
VALUES_TYPE = pa.list_(pa.list_(pa.int64()))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows of a dataset of this schema."""

    schema: Schema
    raw: RawInputs

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.raw.numeric)

    @classmethod
    def of(cls, table: pa.Table, schema: Schema) -> "Sample":
        """All rows of `table`, which has the `raw_columns` of `schema`."""
        columns = (table.column(name).combine_chunks() for name in raw_columns(schema))
        return cls(schema=schema, raw=raw_inputs(list(columns), schema))

    def inputs(self, schema: Schema, encoder: Encoder) -> npt.NDArray[np.float64]:
        """A model's inputs, float64[n, m], of its own `schema`, which lacks none of the sample's columns."""
        return encoder.encode(*chosen(self.raw, self.schema, schema))


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """How far one quantity has moved: `rows` in the bins of `reference`, and the population stability index of both."""

    name: str
    index: float
    reference: Histogram
    rows: tuple[int, ...]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far data has moved from a model's reference; `columns` with the largest index first."""

    rows: int
    chance: float
    """What an index is by chance alone, on average."""
    prediction: Moved
    columns: tuple[Moved, ...]

    @property
    def worst(self) -> Moved:
        """The prediction or the column that has moved most."""
        return max((self.prediction, *self.columns), key=lambda moved: moved.index)

    def scalars(self) -> dict[str, object]:
        """The indices as plain JSON values."""
        return {
            "rows": self.rows,
            "chance": self.chance,
            "prediction": self.prediction.index,
            "columns": {moved.name: moved.index for moved in self.columns},
        }


def sample(held_out: Scannable, schema: Schema, *, rows: int, seed: int) -> Sample:
    """About `ROWS` of the `rows` prepared rows, chosen by their content and so the same ones in every run."""
    return Sample.of(held_out.scan(sampling(schema, partial(_about, rows=rows, seed=seed))), schema)


def lowest(rows: Scannable, schema: Schema, *, most: int = ROWS) -> Sample:
    """At most `most` of the prepared rows: those whose record hashes are lowest."""
    table = rows.scan(sampling(schema, partial(_lowest, most=most))).sort_by(RECORD_HASH)
    return Sample.of(table.slice(0, most), schema)


def sampling(schema: Schema, choose: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]) -> Kernel:
    """The inputs of those rows of each batch that `choose` takes by their record hashes, int64[n]."""
    hashes = {NUMBERS: pa.list_(pa.float64()), CATEGORIES: pa.list_(pa.int64()), VALUES: VALUES_TYPE}
    columns = (RECORD_HASH, *raw_columns(schema))
    return Kernel(
        columns=columns,
        schema=pa.schema([(name, hashes.get(name, pa.int64())) for name in columns]),
        function=partial(_sample, choose=choose, columns=columns),
    )


def _sample(
    batches: Iterable[pa.RecordBatch],
    *,
    choose: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]],
    columns: tuple[str, ...],
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        chosen = batch.filter(pa.array(choose(batch.column(0).to_numpy())))
        yield pa.RecordBatch.from_arrays(chosen.columns, names=columns)


def _about(record_hash: npt.NDArray[np.int64], *, rows: int, seed: int) -> npt.NDArray[np.bool_]:
    return about(ROWS, record_hash, rows=rows, seed=seed, purpose="reference")


def _lowest(record_hash: npt.NDArray[np.int64], *, most: int) -> npt.NDArray[np.bool_]:
    if len(record_hash) <= most:
        return np.ones(len(record_hash), dtype=np.bool_)
    return np.asarray(record_hash <= np.partition(record_hash, most - 1)[most - 1])


def make_reference(sampled: Sample, encoder: Encoder, model: str, importance: Mapping[str, float]) -> Reference:
    """The reference of LightGBM's `model`; `importance` is the gain of each of its inputs."""
    schema = sampled.schema
    inputs = sampled.inputs(schema, encoder)
    columns = column_values(schema, inputs)
    gains = {name: importance[name] for name in schema.numeric}
    gains |= {name: sum(importance[feature] for feature in encoded_category(name)) for name in schema.paired}
    watched = set(sorted(gains, key=lambda name: -gains[name])[:COLUMNS])
    return Reference(
        prediction=Histogram.of(_predict(model, inputs)),
        columns={name: Histogram.of(columns[:, index]) for index, name in enumerate(schema.columns) if name in watched},
    )


def compare(bundle: Bundle, sampled: Sample) -> Drift | None:
    """How far `sampled` has moved from the reference of `bundle`; None without one, or when a column is missing."""
    if bundle.reference is None or bundle.schema.lacking(sampled.schema) or len(sampled) == 0:
        return None
    inputs = sampled.inputs(bundle.schema, bundle.encoder)
    values = dict(zip(bundle.schema.columns, column_values(bundle.schema, inputs).T, strict=True))
    prediction = bundle.reference.prediction
    model = (bundle.path / MODEL).read_text(encoding="utf-8")
    moved = [_moved(name, histogram, values[name]) for name, histogram in bundle.reference.columns.items()]
    return Drift(
        rows=len(sampled),
        chance=round(chance_index(len(prediction.rows), sum(prediction.rows), len(sampled)), DECIMALS),
        prediction=_moved("prediction", prediction, _predict(model, inputs)),
        columns=tuple(sorted(moved, key=lambda one: -one.index)),
    )


def _moved(name: str, histogram: Histogram, values: npt.NDArray[np.float64]) -> Moved:
    rows = histogram.count(values)
    index = round(stability_index(histogram.rows, rows), DECIMALS)
    return Moved(name=name, index=index, reference=histogram, rows=tuple(rows.tolist()))


def _predict(model: str, inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(lightgbm.Booster(model_str=model).predict(inputs), dtype=np.float64)
