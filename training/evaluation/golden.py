"""Golden records: held-out rows with training's probabilities, which every service must reproduce."""

from collections.abc import Sequence

import numpy as np

from features.bundle import GoldenRecord
from features.columns import Number
from features.encoder import Encoder, RawRows
from training.evaluation.reference import Sampled
from training.kernels.columns import CATEGORIES, NUMBERS, TIME, matrix
from training.kernels.hashed import content_hashes
from training.model.fitted import Fitted

GOLDEN_RECORDS = 100


def golden_records(sampled: Sampled, encoder: Encoder, fitted: Fitted, user: str | None) -> tuple[GoldenRecord, ...]:
    """At most `GOLDEN_RECORDS` distinct records of held-out rows, chosen by content, so every run takes the same ones.

    They are without the column `user`, which has users' keys: nothing in a bundle is about a single user.
    """
    chosen, schema = _distinct(sampled, user), sampled.schema
    rows = chosen.rows
    shown: dict[int, Sequence[float | str | None]] = {
        field.at: [field.shown(value) for value in rows.fields[field.at].tolist()]
        for field in schema.fields
        if isinstance(field, Number)
    }
    shown |= zip((field.at for field in schema.texts), (column.to_pylist() for column in chosen.texts), strict=True)
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


def _distinct(sampled: Sampled, user: str | None) -> Sampled:
    """The rows with the lowest hashes of what they show as records. Equal rows, and rows of other users, make one."""
    schema, rows = sampled.schema, len(sampled.table)
    categories, numbers = (
        dict(zip((field.name for field in fields), matrix(sampled.column(name), len(fields)).T, strict=True))
        for name, fields in ((CATEGORIES, schema.texts), (NUMBERS, schema.numbers))
    )
    categories.pop(user or "", None)
    times = {TIME: sampled.column(TIME).to_numpy()} if schema.times else {}
    _, places = np.unique(content_hashes(rows, categories | times, numbers), return_index=True)
    return Sampled(schema=schema, table=sampled.table.take(places[:GOLDEN_RECORDS]))
