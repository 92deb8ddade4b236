"""From typed fields to prepared rows: categories are hashed, and each row gets the hash that decides its split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.hashing import hash_several, hash_whole_numbers
from features.schema import Schema
from training.kernels import xxh64
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, RAW, RECORD_HASH, TIME, VALUES, lists


@dataclass(frozen=True, kw_only=True)
class Fields:
    """n rows as read, columns in the schema's order: `label` int8[n] of 0 and 1, `numeric` columns float64[n] with NaN
    for missing, `categorical` columns of n texts with "" for missing, and `time` int64[n] in microseconds."""

    label: npt.NDArray[np.int8]
    numeric: Sequence[npt.NDArray[np.float64]]
    categorical: Sequence[pa.StringArray]
    time: npt.NDArray[np.int64] | None = None
    counted: Mapping[str, int] = field(default_factory=dict)
    """Other counts from reading the rows, by name."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.label)


def hashed(
    fields: Fields, schema: Schema, *, may_be_held_out: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]
) -> pa.RecordBatch:
    """The rows with `LABEL`, the `raw_columns` of the schema, `RECORD_HASH`, `RAW` and, if there is one, `TIME`.

    `may_be_held_out` takes record hashes, int64[n], and returns which rows keep their original categories in `RAW`.
    """
    rows = len(fields)
    record_hash = record_hashes(fields)
    columns = {
        LABEL: pa.array(fields.label),
        NUMBERS: lists(_stacked(fields.numeric, rows, np.float64)),
        CATEGORIES: lists(_stacked([xxh64.distinct_texts(texts) for texts in fields.categorical], rows, np.int64)),
        RECORD_HASH: pa.array(record_hash),
        RAW: _raw(fields.categorical, may_be_held_out(record_hash)),
    }
    if schema.several:
        columns[VALUES] = _values(fields.categorical, schema, rows)
    if fields.time is not None:
        columns[TIME] = pa.array(fields.time)
    return pa.RecordBatch.from_pydict(columns)


def record_hashes(fields: Fields) -> npt.NDArray[np.int64]:
    """A hash over all fields of each row and its time, int64[n]."""
    chain = xxh64.first_seeds(len(fields))
    for values in fields.numeric:
        chain = xxh64.of_numbers(values, chain)
    for texts in fields.categorical:
        chain = xxh64.of_texts(texts, chain)
    if fields.time is not None:
        chain = hash_whole_numbers(fields.time, chain)
    return chain.view(np.int64)


def _stacked(columns: Sequence[npt.NDArray[np.generic]], rows: int, kind: type[np.generic]) -> npt.NDArray[np.generic]:
    matrix = np.empty((rows, len(columns)), dtype=kind)
    for index, column in enumerate(columns):
        matrix[:, index] = column
    return matrix


def _raw(columns: Sequence[pa.StringArray], kept: npt.NDArray[np.bool_]) -> pa.ListArray:
    """The texts of each of the `kept` rows as one list, null for the others."""
    mask, width = pa.array(kept), len(columns)
    offsets = np.concatenate(([0], np.cumsum(kept, dtype=np.int32) * np.int32(width)))
    texts = _side_by_side([texts.filter(mask) for texts in columns], pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts, mask=pa.array(~kept))


def _values(columns: Sequence[pa.StringArray], schema: Schema, rows: int) -> pa.ListArray:
    """The hashes of the values in columns with several. Each distinct field is split once."""
    parts = []
    for column in schema.several:
        fields = columns[column.index].dictionary_encode()
        hashes = [hash_several(text, column.separator) for text in fields.dictionary.to_pylist()]
        parts.append(pa.array(hashes, pa.list_(pa.int64())).take(fields.indices))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(len(parts)))
    return pa.ListArray.from_arrays(offsets, _side_by_side(parts, pa.list_(pa.int64())))


def _side_by_side(columns: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """The values of equally long columns, interleaved row by row."""
    together = pa.concat_arrays([*columns, pa.array([], kind)])
    order = np.arange(len(together)).reshape(len(columns), -1).T.ravel() if columns else np.empty(0, np.int64)
    return together.take(pa.array(order))
