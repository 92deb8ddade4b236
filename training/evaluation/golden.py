"""Golden records: held-out rows with training's probabilities, which every service must reproduce."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from features.bundle import GoldenRecord
from features.columns import Number
from features.encoder import Encoder
from features.schema import Schema
from training.kernels.columns import RAW, RECORD_HASH, raw_columns, raw_rows, raw_types
from training.kernels.kernel import Kernel
from training.model.fitted import Fitted
from training.protocols import Scannable

GOLDEN_RECORDS = 100


def golden_records(held_out: Scannable, schema: Schema, encoder: Encoder, fitted: Fitted) -> tuple[GoldenRecord, ...]:
    """At most `GOLDEN_RECORDS` distinct held-out rows, chosen by content, so every run takes the same ones."""
    types = pa.schema([(RECORD_HASH, pa.int64()), (RAW, pa.list_(pa.string())), *raw_types(schema)])
    kernel = Kernel(columns=tuple(types.names), schema=types, function=partial(_lowest, types=types))
    table = held_out.scan(kernel).sort_by(RECORD_HASH)
    hashes, places = np.unique(table.column(RECORD_HASH).to_numpy(), return_index=True)
    table = table.take(places[: min(GOLDEN_RECORDS, len(hashes))])
    rows = raw_rows([table.column(name).combine_chunks() for name in raw_columns(schema)], schema)
    probabilities = fitted.predict(rows.encode(encoder)).tolist()
    shown: dict[int, Sequence[float | str | None]] = {
        field.at: [field.shown(value) for value in rows.fields[field.at].tolist()]
        for field in schema.fields
        if isinstance(field, Number)
    }
    shown |= zip((field.at for field in schema.texts), zip(*table.column(RAW).to_pylist(), strict=True), strict=True)
    records = zip(*(shown[field.at] for field in schema.fields), strict=True)
    return tuple(
        GoldenRecord(record=dict(zip(schema.features, record, strict=True)), probability=probability)
        for record, probability in zip(records, probabilities, strict=True)
    )


def _lowest(batches: Iterable[pa.RecordBatch], *, types: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows with the lowest record hashes."""
    kept = types.empty_table()
    for batch in batches:
        more = _distinct(pa.Table.from_batches([batch]).rename_columns(types.names))
        kept = _distinct(pa.concat_tables([kept, more.cast(types)]))
    yield from kept.combine_chunks().to_batches()


def _distinct(table: pa.Table) -> pa.Table:
    _, places = np.unique(table.column(RECORD_HASH).to_numpy(), return_index=True)
    return table.take(places[:GOLDEN_RECORDS])
