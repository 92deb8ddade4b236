"""Golden records: held-out rows with training's probabilities, which every service must reproduce."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bundle import GoldenRecord
from features.columns import Number
from features.encoder import Encoder, RawRows
from features.schema import Schema
from training.kernels.columns import CATEGORIES, NUMBERS, RAW, TIME, matrix, raw_columns, raw_rows, raw_types
from training.kernels.hashed import content_hashes, raw_type
from training.kernels.kernel import Kernel
from training.model.fitted import Fitted
from training.protocols import Scannable

GOLDEN_RECORDS = 100
_SHOWN = "_shown"
"""A hash of what a row shows as a record. Equal rows, and rows of other users, make one record."""


def golden_records(
    held_out: Scannable, schema: Schema, encoder: Encoder, fitted: Fitted, user: str | None
) -> tuple[GoldenRecord, ...]:
    """At most `GOLDEN_RECORDS` distinct held-out records, chosen by content, so every run takes the same ones.

    They are without the column `user`, which has users' keys: nothing in a bundle is about a single user.
    """
    types = pa.schema([(_SHOWN, pa.uint64()), (RAW, raw_type(len(schema.texts))), *raw_types(schema)])
    function = partial(_lowest, schema=schema, types=types, user=user)
    table = _distinct(held_out.scan(Kernel(columns=tuple(types.names[1:]), schema=types, function=function)))
    rows = raw_rows([table.column(name).combine_chunks() for name in raw_columns(schema)], schema)
    shown: dict[int, Sequence[float | str | None]] = {
        field.at: [field.shown(value) for value in rows.fields[field.at].tolist()]
        for field in schema.fields
        if isinstance(field, Number)
    }
    texts = table.column(RAW).combine_chunks().flatten()[: len(schema.texts)]
    shown |= zip((field.at for field in schema.texts), (column.to_pylist() for column in texts), strict=True)
    fields = [*rows.fields]
    for field in schema.fields:
        if field.name == user:
            shown[field.at] = [None] * len(rows)
            fields[field.at] = field.read(shown[field.at])
    probabilities = fitted.predict(RawRows(schema=schema, fields=fields).encode(encoder)).tolist()
    records = (
        dict(zip(schema.features, record, strict=True))
        for record in zip(*(shown[field.at] for field in schema.fields), strict=True)
    )
    return tuple(
        GoldenRecord(
            record={name: value for name, value in record.items() if name != user},
            probability=probability,
        )
        for record, probability in zip(records, probabilities, strict=True)
    )


def _lowest(
    batches: Iterable[pa.RecordBatch], *, schema: Schema, types: pa.Schema, user: str | None
) -> Iterator[pa.RecordBatch]:
    """The distinct records with the lowest hashes."""
    kept = types.empty_table()
    for batch in batches:
        found = pa.RecordBatch.from_arrays([pa.array(_shown(batch, schema, user)), *batch.columns], schema=types)
        kept = _distinct(pa.concat_tables([kept, pa.Table.from_batches([found])]))
    yield from kept.combine_chunks().to_batches()


def _shown(batch: pa.RecordBatch, schema: Schema, user: str | None) -> npt.NDArray[np.uint64]:
    columns = dict(zip((RAW, *raw_columns(schema)), batch.columns, strict=True))
    texts = zip((one.name for one in schema.texts), matrix(columns[CATEGORIES], len(schema.texts)).T, strict=True)
    numbers = zip((one.name for one in schema.numbers), matrix(columns[NUMBERS], len(schema.numbers)).T, strict=True)
    times = {TIME: columns[TIME].to_numpy()} if schema.times else {}
    shown = [{name: own for name, own in pairs if name != user} for pairs in (texts, numbers)]
    return content_hashes(len(batch), shown[0] | times, shown[1])


def _distinct(table: pa.Table) -> pa.Table:
    _, places = np.unique(table.column(_SHOWN).to_numpy(), return_index=True)
    return table.take(places[:GOLDEN_RECORDS])
