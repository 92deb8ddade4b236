"""The reference that a bundle keeps, and how far a sample of other rows has moved from it.

Both come from a sample on the driver whose size is bounded: 50,000 rows put less than 0.0005 of chance into an index.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from features.bundle import MODEL, Bundle
from features.encoder import Encoder, Several
from features.reference import Histogram, Reference, chance_index, column_values, stability_index
from features.schema import Schema, encoded_category
from training.preparation.prepare import CATEGORIES, NUMBERS, raw_columns
from training.preparation.several import VALUES, of_columns
from training.preparation.split import about

ROWS = 50_000
"""Rows of a sample at most."""
COLUMNS = 100
"""Columns that are watched at most: those by which the model gains most."""
DECIMALS = 6
VALUES_TYPE = pa.list_(pa.list_(pa.int64()))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows of a dataset: `numeric` float64[n, p] with NaN for missing, `hashes` int64[n, c], in the schema's order, and
    `several` by the index of the column."""

    schema: Schema
    numeric: npt.NDArray[np.float64]
    hashes: npt.NDArray[np.int64]
    several: Mapping[int, Several]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.numeric)

    @classmethod
    def of(cls, frame: DataFrame, schema: Schema) -> "Sample":
        """All rows of `frame`, which has the `raw_columns` of `schema`."""
        table = frame.select(raw_columns(schema)).toPandas()
        values = pa.array(table[VALUES].tolist(), VALUES_TYPE) if schema.several else None
        return cls(
            schema=schema,
            numeric=_stacked(table[NUMBERS].tolist(), len(schema.numeric), np.float64),
            hashes=_stacked(table[CATEGORIES].tolist(), len(schema.categorical), np.int64),
            several={} if values is None else of_columns(values, schema),
        )

    def inputs(self, schema: Schema, encoder: Encoder) -> npt.NDArray[np.float64]:
        """A model's inputs, float64[n, m], of its own `schema`, which lacks none of the sample's columns."""
        numeric = [self.schema.numeric.index(name) for name in schema.numeric]
        categorical = [self.schema.categorical.index(name) for name in schema.categorical]
        several = {index: self.several[categorical[index]] for index in schema.several}
        return encoder.encode(self.numeric[:, numeric], self.hashes[:, categorical], several)


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


def sample(held_out: DataFrame, schema: Schema, *, rows: int, seed: int) -> Sample:
    """About `ROWS` of the `rows` prepared rows, chosen by their content and so the same ones in every run."""
    return Sample.of(about(held_out, ROWS, rows=rows, seed=seed, purpose="reference"), schema)


def make_reference(sampled: Sample, encoder: Encoder, model: str, importance: Mapping[str, float]) -> Reference:
    """The reference of LightGBM's `model`; `importance` is the gain of each of its inputs."""
    schema = sampled.schema
    inputs = sampled.inputs(schema, encoder)
    columns = column_values(schema, inputs)
    gains = {name: importance[name] for name in schema.numeric}
    gains |= {name: sum(importance[feature] for feature in encoded_category(name)) for name in schema.categorical}
    watched = set(sorted(gains, key=lambda name: -gains[name])[:COLUMNS])
    return Reference(
        prediction=Histogram.of(_predict(model, inputs)),
        columns={
            name: Histogram.of(columns[:, index]) for index, name in enumerate(schema.features) if name in watched
        },
    )


def compare(bundle: Bundle, sampled: Sample) -> Drift | None:
    """How far `sampled` has moved from the reference of `bundle`; None without one, or when a column is missing."""
    if bundle.reference is None or bundle.schema.lacking(sampled.schema) or len(sampled) == 0:
        return None
    inputs = sampled.inputs(bundle.schema, bundle.encoder)
    values = dict(zip(bundle.schema.features, column_values(bundle.schema, inputs).T, strict=True))
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


def _stacked(rows: list[Any], width: int, kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.array(rows, dtype=kind).reshape(len(rows), width)
