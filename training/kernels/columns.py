"""The columns that a row has between being read and being trained on, and what a batch of them is to NumPy.

The columns of a kind lie in one list, so that a batch's numbers are a matrix without a copy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.arrays import Several, Values
from features.encoder import RawRows
from features.schema import Schema

LABEL = "_label"
NUMBERS = "_numbers"
"""The numbers and times of a row in the schema's order, list<double> with NaN for missing."""
CATEGORIES = "_categories"
"""The hashes of a row's categories in the schema's order, list<int64>; that of the whole field where a column holds
several values, whose own hashes are in `VALUES`."""
VALUES = "_values"
"""The hashes of the values in each of these columns, in the schema's order: list<list<int64>>, each inner one
ascending. Rows of a schema without such columns do not have it."""
RAW = "_raw"
"""The categories as they were, list<string>, of the rows that may be held out; null elsewhere, where nobody reads
them."""
RECORD_HASH = "_record_hash"
TIME = "_time"
"""Microseconds since 1970, where the schema has a timestamp."""
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
    """What the inputs of a row are made from: `NUMBERS`, `CATEGORIES` and, where the schema has such columns, `VALUES`
    for several values and `TIME` for ages."""
    return [NUMBERS, CATEGORIES, *([VALUES] if schema.several else []), *([TIME] if schema.times else [])]


def raw_types(schema: Schema) -> list[tuple[str, pa.DataType]]:
    """The `raw_columns` with their types."""
    return [(name, _TYPES[name]) for name in raw_columns(schema)]


def raw_rows(columns: Sequence[pa.ListArray], schema: Schema) -> RawRows:
    """The rows of which these are the `raw_columns`."""
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
    """What `VALUES` of n rows holds, by column."""
    fields = values.flatten()
    hashes = fields.flatten().to_numpy(zero_copy_only=False)
    field_of_each = np.repeat(np.arange(len(fields)), fields.value_lengths().to_numpy(zero_copy_only=False))
    row, place = np.divmod(field_of_each, columns)
    return [Several(hashes=hashes[place == own], row=row[place == own]) for own in range(columns)]
