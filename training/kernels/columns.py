"""The Arrow columns of prepared rows, and their conversion to NumPy.

The columns of one kind are stored in one list column, so that a batch's numbers are a matrix without a copy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import RawRows
from features.hashing import Several, Values
from features.schema import Schema

LABEL = "_label"
NUMBERS = "_numbers"
"""The numbers and times of a row in the schema's order, list<double> with NaN for missing."""
CATEGORIES = "_categories"
"""The hashes of a row's categories in the schema's order, list<int64>. A column with several values has the hash of the
whole field here, and those of its values in `VALUES`."""
VALUES = "_values"
"""The hashes of the values in each column with several, in the schema's order: list<list<int64>>, each inner list
ascending. Absent if the schema has no such column."""
RAW = "_raw"
"""The categories' original texts by the number of the column, struct<0: string, 1: string ...>."""
RECORD_HASH = "_record_hash"
"""What decides a row's side, its fold and the samples that it is in: see `training.kernels.hashed`."""
TIME = "_time"
"""Microseconds since 1970, if the schema has a timestamp."""
PART = "_part"
FOLD = "_fold"
FEATURES = "_features"
"""The inputs of a row in the order of `Schema.encoded_features`, list<double> with NaN for missing numbers."""


_TYPES = {
    NUMBERS: pa.list_(pa.float64()),
    CATEGORIES: pa.list_(pa.int64()),
    VALUES: pa.list_(pa.list_(pa.int64())),
    TIME: pa.int64(),
}


def raw_columns(schema: Schema) -> list[str]:
    """The columns from which a row is encoded: `NUMBERS`, `CATEGORIES`, `VALUES` if columns have several values, and
    `TIME` if there are ages."""
    return [NUMBERS, CATEGORIES, *([VALUES] if schema.several else []), *([TIME] if schema.times else [])]


def raw_types(schema: Schema) -> list[tuple[str, pa.DataType]]:
    """The `raw_columns` with their types."""
    return [(name, _TYPES[name]) for name in raw_columns(schema)]


def raw_rows(columns: Sequence[pa.ListArray], schema: Schema) -> RawRows:
    """The rows with these `raw_columns`."""
    stored = dict(zip(raw_columns(schema), columns, strict=True))
    found: dict[int, Values] = {}
    found |= zip((field.at for field in schema.numbers), matrix(stored[NUMBERS], len(schema.numbers)).T, strict=True)
    found |= zip((field.at for field in schema.texts), matrix(stored[CATEGORIES], len(schema.texts)).T, strict=True)
    if schema.several:
        several = _several_values(stored[VALUES], len(schema.several))
        found |= zip((field.at for field in schema.several), several, strict=True)
    if schema.times:
        found[schema.fields[-1].at] = stored[TIME].to_numpy().astype(np.float64)
    return RawRows(schema=schema, fields=[found[field.at] for field in schema.fields])


def matrix(column: pa.ListArray, width: int) -> npt.NDArray[Any]:
    """The rows of `column`, n lists of `width` numbers each, as a matrix [n, width]."""
    values: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), width)


def lists(rows: npt.NDArray[Any]) -> pa.ListArray:
    """A matrix [n, width] as n lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.shape[1])
    return pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))


def _several_values(values: pa.ListArray, columns: int) -> list[Several]:
    """The contents of `VALUES` in n rows, by column."""
    fields = values.flatten()
    hashes = fields.flatten().to_numpy(zero_copy_only=False)
    field_of_each = np.repeat(np.arange(len(fields)), fields.value_lengths().to_numpy(zero_copy_only=False))
    row, place = np.divmod(field_of_each, columns)
    return [Several(hashes=hashes[place == own], row=row[place == own]) for own in range(columns)]
