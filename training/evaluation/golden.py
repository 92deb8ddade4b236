"""Golden records: held-out rows with training's probabilities, which every service must reproduce."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bundle import GoldenRecord
from features.columns import Category, Cross, Number
from features.encoder import Encoder, RawRows
from features.hashing import MISSING_HASH, Several
from features.schema import Schema
from training.kernels.columns import CATEGORIES, NUMBERS, RAW, TIME, matrix, raw_columns, raw_rows, raw_types
from training.kernels.hashed import content_hashes, raw_type
from training.kernels.kernel import Kernel
from training.model.fitted import Fitted
from training.protocols import Scannable

GOLDEN_RECORDS = 100
MADE_UP = "made-up user"
"""The key of a user who does not exist."""
_SHOWN = "_shown"
"""A hash of what a row shows as a record. Equal rows, and rows of other users, make one record."""


def golden_records(
    held_out: Scannable, schema: Schema, encoder: Encoder, fitted: Fitted, user: str | None
) -> tuple[Encoder, tuple[GoldenRecord, ...]]:
    """At most `GOLDEN_RECORDS` distinct held-out records, chosen by content, so every run takes the same ones.

    No record has a user's key, which is in the column `user`: the first one and every second one after it are without
    that column, the others name a made-up user. The encoder that is returned knows that user, too, so the
    probabilities still prove that keys are hashed and looked up as in training.
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
    texts = table.column(RAW).combine_chunks().flatten()
    shown |= zip((field.at for field in schema.texts), (column.to_pylist() for column in texts), strict=True)
    fields = [*rows.fields]
    for field in schema.fields:
        if field.name == user:
            known = MADE_UP if isinstance(field, Category) else None
            shown[field.at] = [known if row % 2 else None for row in range(len(rows))]
            fields[field.at] = field.read(shown[field.at])
    rows = RawRows(schema=schema, fields=fields)
    encoder = _with_made_up_user(encoder, rows, user)
    probabilities = fitted.predict(rows.encode(encoder)).tolist()
    records = (
        dict(zip(schema.features, record, strict=True))
        for record in zip(*(shown[field.at] for field in schema.fields), strict=True)
    )
    return encoder, tuple(
        GoldenRecord(
            record={name: value for name, value in record.items() if value is not None or name != user},
            probability=probability,
        )
        for record, probability in zip(records, probabilities, strict=True)
    )


def _with_made_up_user(encoder: Encoder, rows: RawRows, user: str | None) -> Encoder:
    """The encoder with the keys and crosses in the column `user` of these rows, which count like the most frequent."""
    for index, column in enumerate(rows.schema.encoded):
        own = encoder.log_counts[encoder.column(index)]
        if own.size and user in (
            (column.first.name, column.second.name) if isinstance(column, Cross) else (column.name,)
        ):
            values = rows.values(index)
            hashes = values.hashes if isinstance(values, Several) else values
            encoder = encoder.with_values(index, hashes[hashes != MISSING_HASH], like=int(own.argmax()))
    return encoder


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
