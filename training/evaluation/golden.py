"""Golden records: held-out rows with the probability that training gave them, for every service to reproduce."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from features.bundle import GoldenRecord
from features.encoder import Encoder
from features.schema import Schema
from training.kernels.columns import CATEGORIES, NUMBERS, RAW, RECORD_HASH, VALUES, raw_columns, raw_rows
from training.kernels.kernel import Kernel
from training.model.fitted import Fitted
from training.protocols import Scannable

GOLDEN_RECORDS = 100
_TYPES = {
    RECORD_HASH: pa.int64(),
    RAW: pa.list_(pa.string()),
    NUMBERS: pa.list_(pa.float64()),
    CATEGORIES: pa.list_(pa.int64()),
    VALUES: pa.list_(pa.list_(pa.int64())),
}


def golden_records(held_out: Scannable, schema: Schema, encoder: Encoder, fitted: Fitted) -> tuple[GoldenRecord, ...]:
    """At most `GOLDEN_RECORDS` distinct held-out rows, chosen by their content and so the same in every run."""
    columns = (RECORD_HASH, RAW, *raw_columns(schema))
    kernel = Kernel(
        columns=columns,
        schema=pa.schema([(name, _TYPES[name]) for name in columns]),
        function=partial(_lowest, columns=columns),
    )
    table = held_out.scan(kernel).sort_by(RECORD_HASH)
    hashes, places = np.unique(table.column(RECORD_HASH).to_numpy(), return_index=True)
    table = table.take(places[: min(GOLDEN_RECORDS, len(hashes))])
    rows = raw_rows([table.column(name).combine_chunks() for name in raw_columns(schema)], schema)
    probabilities = fitted.predict(rows.encode(encoder)).tolist()
    shown: dict[int, Sequence[float | str | None]] = {
        field.at: [field.shown(value) for value in rows.fields[field.at].tolist()] for field in schema.numbers
    }
    shown |= zip((field.at for field in schema.texts), zip(*table.column(RAW).to_pylist(), strict=True), strict=True)
    records = zip(*(shown[field.at] for field in schema.fields), strict=True)
    return tuple(
        GoldenRecord(record=dict(zip(schema.features, record, strict=True)), probability=probability)
        for record, probability in zip(records, probabilities, strict=True)
    )


def _lowest(batches: Iterable[pa.RecordBatch], *, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """The rows whose record hashes are lowest, of which no other run needs to know."""
    schema = pa.schema([(name, _TYPES[name]) for name in columns])
    kept = schema.empty_table()
    for batch in batches:
        more = _distinct(pa.Table.from_batches([batch]).rename_columns(columns))
        kept = _distinct(pa.concat_tables([kept, more.cast(schema)]))
    yield from kept.combine_chunks().to_batches()


def _distinct(table: pa.Table) -> pa.Table:
    _, places = np.unique(table.column(RECORD_HASH).to_numpy(), return_index=True)
    return table.take(places[:GOLDEN_RECORDS])
