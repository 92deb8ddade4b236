"""Finds the texts of values of which only the column and the hash are known."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa

from features.columns import Category, Cross, Encoded
from features.hashing import MISSING_HASH, Several, hash_value, hash_values, pair_hashes
from features.schema import Schema, cross_name
from training.kernels.columns import RAW, raw_columns, raw_rows
from training.kernels.kernel import Kernel

SHOWN_LENGTH = 40
"""How many characters of a value are kept."""
_FOUND = pa.schema([("column", pa.int32()), ("hash", pa.int64()), ("text", pa.string())])


def naming(schema: Schema, wanted: Sequence[tuple[int, int]]) -> Kernel:
    """Finds the beginnings of the wanted values, given by column index and hash, in rows with `RAW`."""
    return Kernel(
        columns=(RAW, *raw_columns(schema)),
        schema=_FOUND,
        function=_Naming(schema=schema, wanted=tuple(wanted)),
        by=("column", "hash"),
        merged={"text": "max"},
    )


@dataclass(frozen=True, kw_only=True)
class _Naming:
    schema: Schema
    wanted: tuple[tuple[int, int], ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found: dict[tuple[int, int], str] = {}
        for batch in batches:
            texts, *columns = batch.columns
            rows = raw_rows(columns, self.schema)
            for index, value in (one for one in self.wanted if one not in found):
                values = rows.values(index)
                hashes, row_of = values if isinstance(values, Several) else (values, np.arange(len(values)))
                places = np.flatnonzero(hashes == value)
                if len(places):
                    row = row_of[places[0]]
                    text = _text(self.schema.encoded[index], list(texts[int(row)].as_py().values()), value)
                    found[index, value] = text[:SHOWN_LENGTH]
        named = [{"column": index, "hash": value, "text": text} for (index, value), text in found.items()]
        yield pa.RecordBatch.from_pylist(named, schema=_FOUND)


def _text(column: Encoded, record: Sequence[str], value: int) -> str:
    """The text of the value of `column` with this hash, in a record that has it, given the record's categories."""
    if isinstance(column, Category):
        return next(one for one in column.split(record[column.index]) if hash_value(one) == value)
    if not isinstance(column, Cross) or value == MISSING_HASH:
        return ""
    pairs = list(product(*(one.split(record[one.index]) for one in (column.first, column.second))))
    first, second = (hash_values(texts) for texts in zip(*pairs, strict=True))
    first_text, second_text = pairs[int(np.flatnonzero(pair_hashes(first, second) == value)[0])]
    return cross_name((first_text, second_text))
