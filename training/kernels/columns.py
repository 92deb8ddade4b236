"""The columns that a row has between being read and being trained on, and what a batch of them is to NumPy.

The columns of a kind lie in one list, so that a batch's numbers are a matrix without a copy.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.encoder import Several
from features.schema import Schema
from training.kernels import crosses

LABEL = "_label"
NUMBERS = "_numbers"
"""The numbers of a row in the schema's order, list<double> with NaN for missing."""
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


class RawInputs(NamedTuple):
    """What `Encoder.encode` makes the inputs of n rows from: float64[n, p], int64[n, c] of the `Schema.categories`, and
    those that hold several values by their index."""

    numeric: npt.NDArray[np.float64]
    hashes: npt.NDArray[np.int64]
    several: dict[int, Several]


def raw_columns(schema: Schema) -> list[str]:
    """What the inputs of a row are made from: `NUMBERS`, `CATEGORIES` and, where the schema has such columns,
    `VALUES`."""
    return [NUMBERS, CATEGORIES, *([VALUES] if schema.several else [])]


def raw_inputs(columns: Sequence[pa.ListArray], schema: Schema) -> RawInputs:
    """The rows of which these are the `raw_columns`."""
    numeric, hashes, *values = columns
    own = RawInputs(
        numeric=matrix(numeric, len(schema.numeric)),
        hashes=matrix(hashes, len(schema.categorical)),
        several=several(values[0], schema) if values else {},
    )
    return _with_crosses(own, schema)


def chosen(raw: RawInputs, schema: Schema, own: Schema) -> RawInputs:
    """The inputs of rows of `schema` as those of another schema, which lacks none of its columns in them."""
    categorical = [schema.categorical.index(name) for name in own.categorical]
    known = RawInputs(
        numeric=raw.numeric[:, [schema.numeric.index(name) for name in own.numeric]],
        hashes=raw.hashes[:, categorical],
        several={index: raw.several[categorical[index]] for index in own.several},
    )
    return _with_crosses(known, own)


def category(columns: Sequence[pa.ListArray], schema: Schema, index: int) -> npt.NDArray[np.int64] | Several:
    """The values of one of the `Schema.categories` in rows of which these are the `raw_columns`."""
    _, hashes, *values = columns
    raw = matrix(hashes, len(schema.categorical))
    wanted = schema.crossed.get(index, (index,))
    holding = several(values[0], schema) if schema.several.keys() & set(wanted) else {}
    found = [holding[one] if one in holding else raw[:, one] for one in wanted]
    return crosses.crossed(found[0], found[1]) if index in schema.crossed else found[0]


def _with_crosses(raw: RawInputs, schema: Schema) -> RawInputs:
    """The rows with the values of the schema's crosses beside their own."""
    if not schema.crossed:
        return raw
    hashes, held = [raw.hashes], dict(raw.several)
    for index, (first, second) in schema.crossed.items():
        one, other = (raw.several.get(column, raw.hashes[:, column]) for column in (first, second))
        values = crosses.crossed(one, other)
        if isinstance(values, Several):
            held[index] = values
            values = np.zeros(len(raw.hashes), dtype=np.int64)  # nobody reads it
        hashes.append(values[:, None])
    return RawInputs(numeric=raw.numeric, hashes=np.hstack(hashes), several=held)


def matrix(column: pa.ListArray, width: int) -> npt.NDArray[Any]:
    """The rows of `column`, n lists of `width` numbers each, as a matrix [n, width]."""
    values: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), width)


def lists(rows: npt.NDArray[Any]) -> pa.ListArray:
    """A matrix [n, width] as n lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.shape[1])
    return pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))


def several(values: pa.ListArray, schema: Schema) -> dict[int, Several]:
    """What `VALUES` of n rows holds, by the columns' index in the schema."""
    fields = values.flatten()
    hashes = fields.flatten().to_numpy(zero_copy_only=False)
    field_of_each = np.repeat(np.arange(len(fields)), fields.value_lengths().to_numpy(zero_copy_only=False))
    row, place = np.divmod(field_of_each, max(1, len(schema.several)))
    return {
        index: Several(hashes=hashes[place == own], row=row[place == own]) for own, index in enumerate(schema.several)
    }
