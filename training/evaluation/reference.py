"""The baseline sample of held-out rows, and the histograms of it in a bundle, from which the service measures drift.

The histograms are computed in this process: with 50,000 rows, chance adds less than 0.0005 to an index.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from features.encoder import Encoder, RawRows
from features.reference import Histogram, Reference, column_values
from features.schema import Schema
from training.kernels.columns import RAW, RECORD_HASH, raw_columns, raw_rows, raw_types
from training.kernels.hashed import raw_type
from training.kernels.split import sampling
from training.model.native import lightgbm
from training.protocols import Scannable

ROWS = 50_000
"""The most rows of a sample."""
COLUMNS = 100
"""The most columns to watch for drift: those with the highest gain."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Prepared rows of `schema` with the texts of their categories, in memory."""

    schema: Schema
    table: pa.Table

    def column(self, name: str) -> pa.Array:
        """One of the columns of `training.kernels.columns`."""
        return self.table.column(name).combine_chunks()

    @cached_property
    def rows(self) -> RawRows:
        """The rows."""
        return raw_rows([self.column(name) for name in raw_columns(self.schema)], self.schema)

    @cached_property
    def texts(self) -> list[pa.StringArray]:
        """The texts of the categories by column."""
        texts: list[pa.StringArray] = self.column(RAW).flatten()[: len(self.schema.texts)]
        return texts


def sample(held_out: Scannable, schema: Schema, *, rows: int, seed: int) -> Sampled:
    """About `ROWS` of the `rows` prepared rows."""
    types = pa.schema([(RECORD_HASH, pa.int64()), (RAW, raw_type(len(schema.texts))), *raw_types(schema)])
    table = held_out.scan(sampling(types, most=ROWS, rows=rows, seed=seed, purpose="reference"))
    return Sampled(schema=schema, table=table)


def make_reference(sampled: Sampled, encoder: Encoder, model: str, importance: Mapping[str, float]) -> Reference:
    """The baseline histograms for LightGBM's `model`; `importance` is the gain of each input."""
    schema = sampled.schema
    inputs = sampled.rows.encode(encoder)
    values = column_values(schema, inputs).T
    gains = {column.name: sum(importance[name] for name in column.inputs) for column in schema.columns}
    watched = set(sorted(gains, key=lambda name: -gains[name])[:COLUMNS])
    return Reference(
        prediction=Histogram.of(np.asarray(lightgbm.Booster(model_str=model).predict(inputs), dtype=np.float64)),
        columns={
            column.name: Histogram.of(own)
            for column, own in zip(schema.columns, values, strict=True)
            if column.name in watched
        },
    )
