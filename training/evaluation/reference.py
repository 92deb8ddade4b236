"""The baseline sample's histograms that a bundle keeps, from which the service measures drift.

They are computed from a bounded sample in this process: with 50,000 rows, chance adds less than 0.0005 to an index.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from features.encoder import Encoder, RawRows
from features.reference import Histogram, Reference, column_values
from features.schema import Schema
from training.evaluation.baselines import sampled
from training.kernels.columns import RECORD_HASH, raw_columns, raw_rows, raw_types
from training.model.native import lightgbm
from training.protocols import Scannable

ROWS = 50_000
"""The most rows of a sample."""
COLUMNS = 100
"""The most columns to watch for drift: those with the highest gain."""


def sample(held_out: Scannable, schema: Schema, *, rows: int, seed: int) -> RawRows:
    """About `ROWS` of the `rows` prepared rows."""
    types = pa.schema([(RECORD_HASH, pa.int64()), *raw_types(schema)])
    table = sampled(held_out, types, most=ROWS, rows=rows, seed=seed, purpose="reference")
    return raw_rows([table.column(name).combine_chunks() for name in raw_columns(schema)], schema)


def make_reference(sampled: RawRows, encoder: Encoder, model: str, importance: Mapping[str, float]) -> Reference:
    """The baseline histograms for LightGBM's `model`; `importance` is the gain of each input."""
    schema = sampled.schema
    inputs = sampled.encode(encoder)
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
