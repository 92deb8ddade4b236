"""From typed fields to prepared rows: categories are hashed, and each row gets the hash that decides its split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from features.hashing import HASH_SEED, hash_several, hash_whole_numbers
from features.schema import Schema
from training.kernels import xxh64
from training.kernels.columns import CATEGORIES, LABEL, NUMBERS, RAW, RECORD_HASH, TIME, VALUES, lists, raw_types


@dataclass(frozen=True, kw_only=True)
class Fields:
    """n rows as read, columns in the schema's order: `label` int8[n] of 0 and 1, `numeric` columns float64[n] with NaN
    for missing, `categorical` columns of n texts with "" for missing, and `time` int64[n] in microseconds.

    `keys` has the n keys of users and items by the names of their columns, which need not be features.
    """

    label: npt.NDArray[np.int8]
    numeric: Sequence[npt.NDArray[np.float64]]
    categorical: Sequence[pa.StringArray]
    time: npt.NDArray[np.int64] | None = None
    keys: Mapping[str, pa.StringArray] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    """Other counts from reading the rows, by name."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.label)


def hashed(fields: Fields, schema: Schema) -> pa.RecordBatch:
    """The rows with `LABEL`, the `raw_columns` of the schema, `RECORD_HASH`, `RAW` and, if there is one, `TIME`."""
    rows = len(fields)
    hashes = [xxh64.distinct_texts(texts) for texts in fields.categorical]
    columns = {
        LABEL: pa.array(fields.label),
        NUMBERS: lists(_stacked(fields.numeric, rows, np.float64)),
        CATEGORIES: lists(_stacked(hashes, rows, np.int64)),
        RECORD_HASH: pa.array(_record_hashes(fields, schema, hashes).view(np.int64)),
        RAW: raw(fields.categorical, rows),
    }
    if schema.several:
        columns[VALUES] = _values(fields.categorical, schema, rows)
    if fields.time is not None:
        columns[TIME] = pa.array(fields.time)
    return pa.RecordBatch.from_pydict(columns)


def hashed_fields(
    schema: Schema, keys: Iterable[str], missing: Mapping[str, Iterable[str]] = MappingProxyType({})
) -> tuple[str, ...]:
    """What the record hash of rows with this schema and these `keys` takes in, in the order of the names.

    The words that mean `missing` in a column are not taken in, so other words make other hashes.
    """
    kinds = dict.fromkeys((field.name for field in schema.numbers), "number")
    kinds |= dict.fromkeys([*(field.name for field in schema.texts), *keys], "text")
    if schema.timestamp is not None:
        kinds[schema.timestamp] = TIME_KIND
    for name, words in missing.items():
        if listed := ", ".join(map(repr, sorted({*words} - {""}))):
            kinds[name] += f" without {listed}"
    return (*(f"{name} ({kind})" for name, kind in sorted(kinds.items())), NUMBER)


TIME_KIND = "time"
NUMBER = "number among equal rows"
"""In a list of what is hashed: rows are `numbered`."""


def _record_hashes(
    fields: Fields, schema: Schema, categories: Sequence[npt.NDArray[np.int64]]
) -> npt.NDArray[np.uint64]:
    """The hash over the keys, the time and all fields of each row. A key that is a feature too is taken in once."""
    keys = {name: xxh64.distinct_texts(texts) for name, texts in fields.keys.items()}
    texts = dict(zip((one.name for one in schema.texts), categories, strict=True)) | keys
    numbers = dict(zip((one.name for one in schema.numbers), fields.numeric, strict=True))
    total = content_hashes(len(fields), texts, numbers)
    return total if fields.time is None else total + hash_whole_numbers(fields.time, _seed_of(schema.timestamp or ""))


def content_hashes(
    rows: int, texts: Mapping[str, npt.NDArray[np.int64]], numbers: Mapping[str, npt.NDArray[np.float64]]
) -> npt.NDArray[np.uint64]:
    """A hash over these columns of each row by name, uint64[n]: `hash_value` of its `texts`, and its `numbers`.

    It is the sum, modulo 2^64, of the XXH64 of each value's eight bytes, seeded with the XXH64 of the column's name, so
    the order of the columns does not matter. A missing number adds nothing, and minus zero is zero.
    """
    total = np.zeros(rows, dtype=np.uint64)
    for name, hashes in texts.items():
        total += hash_whole_numbers(hashes, _seed_of(name))
    for name, values in numbers.items():
        hashed_numbers = hash_whole_numbers((values + 0.0).view(np.int64), _seed_of(name))
        total += np.where(np.isnan(values), np.uint64(0), hashed_numbers)
    return total


def _seed_of(name: str) -> npt.NDArray[np.uint64]:
    """The seed of a column's values, uint64[1]."""
    return np.array([xxhash.xxh64_intdigest(name.encode(), HASH_SEED)], dtype=np.uint64)


def numbered(record_hash: npt.NDArray[np.int64], number: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The record hashes of rows, int64[n], that are the `number`-th of equal ones, int64[n] from 0 on.

    The first one keeps the hash of its fields. That of another one is the XXH64 of its number, seeded with it.
    """
    again = hash_whole_numbers(number, record_hash.view(np.uint64)).view(np.int64)
    return np.where(number == 0, record_hash, again)


def _stacked(columns: Sequence[npt.NDArray[np.generic]], rows: int, kind: type[np.generic]) -> npt.NDArray[np.generic]:
    matrix = np.empty((rows, len(columns)), dtype=kind)
    for index, column in enumerate(columns):
        matrix[:, index] = column
    return matrix


def raw(columns: Sequence[pa.StringArray], rows: int) -> pa.StructArray:
    """The texts of all rows, by the number of the column."""
    types = raw_type(len(columns))
    return pa.StructArray.from_buffers(types, rows, [None], children=list(columns) or [pa.nulls(rows, pa.string())])


def types_of(schema: Schema) -> pa.Schema:
    """The columns of `hashed` rows, with their types."""
    stored = dict(raw_types(schema)) | ({} if schema.timestamp is None else {TIME: pa.int64()})
    kinds = {LABEL: pa.int8(), **stored, RECORD_HASH: pa.int64(), RAW: raw_type(len(schema.texts))}
    return pa.schema(list(kinds.items()))


def raw_type(columns: int) -> pa.StructType:
    """The type of `RAW` with this many columns; with none, it has one of nulls, since Parquet has no empty structs."""
    return pa.struct([(str(number), pa.string()) for number in range(max(1, columns))])


def _values(columns: Sequence[pa.StringArray], schema: Schema, rows: int) -> pa.ListArray:
    """The hashes of the values in columns with several. Each distinct field is split once."""
    parts = []
    for column in schema.several:
        fields = columns[column.index].dictionary_encode()
        hashes = [hash_several(text, column.separator) for text in fields.dictionary.to_pylist()]
        parts.append(pa.array(hashes, pa.list_(pa.int64())).take(fields.indices))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(len(parts)))
    return pa.ListArray.from_arrays(offsets, side_by_side(parts, pa.list_(pa.int64())))


def side_by_side(columns: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """The values of equally long columns, interleaved row by row."""
    together = pa.concat_arrays([*columns, pa.array([], kind)])
    order = np.arange(len(together)).reshape(len(columns), -1).T.ravel() if columns else np.empty(0, np.int64)
    return together.take(pa.array(order))
