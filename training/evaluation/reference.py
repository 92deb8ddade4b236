"""The baseline sample's histograms that a bundle keeps, from which the service measures drift.

They are computed from a bounded sample in this process: with 50,000 rows, chance adds less than 0.0005 to an index.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import numpy as np
import pyarrow as pa

from features.encoder import Encoder, RawRows
from features.reference import Histogram, Reference, column_values
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
        prediction=Histogram.of(np.asarray(lightgbm.Booster(model_str=model).predict(inputs), dtype=np.float64)),
        columns={
            column.name: Histogram.of(own)
            for column, own in zip(schema.columns, values, strict=True)
            if column.name in watched
        },
    )
