"""How values read, of which only a column and a hash are known."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.crosses import cross_name
from features.hashing import MISSING_HASH, hash_value, pair_hash, split_values, unsigned_hash
from features.schema import Schema
from training.kernels.columns import RAW, raw_columns, raw_inputs
from training.kernels.kernel import Kernel

SHOWN_LENGTH = 40
"""Characters of a value that are kept."""
_FOUND = pa.schema([("column", pa.int32()), ("hash", pa.int64()), ("text", pa.string())])


def naming(schema: Schema, wanted: Sequence[tuple[int, int]]) -> Kernel:
    """The beginnings of those of the values, each a column's index and a hash, that are in rows with `RAW`."""
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
            raw = raw_inputs(columns, self.schema)
            for index, value in (one for one in self.wanted if one not in found):
                several = raw.several.get(index)
                hashes = raw.hashes[:, index] if several is None else several.hashes
                places = np.flatnonzero(hashes == value)
                if len(places):
                    row = places[0] if several is None else several.row[places[0]]
                    found[index, value] = self._shown(texts[int(row)].as_py(), index, value)[:SHOWN_LENGTH]
        rows = [{"column": index, "hash": value, "text": text} for (index, value), text in found.items()]
        yield pa.RecordBatch.from_pylist(rows, schema=_FOUND)

    def _shown(self, record: Sequence[str], index: int, value: int) -> str:
        if index not in self.schema.crossed:
            return next(one for one in self._values(record, index) if hash_value(one) == value)
        if value == MISSING_HASH:
            return ""
        first, second = (self._values(record, column) for column in self.schema.crossed[index])
        unsigned = value % (1 << 64)
        pairs = ((one, other) for one in first for other in second)
        return next(cross_name(pair) for pair in pairs if pair_hash(*map(unsigned_hash, pair)) == unsigned)

    def _values(self, record: Sequence[str], index: int) -> list[str]:
        """The values in a field of a record."""
        separator = self.schema.several.get(index)
        return [record[index]] if separator is None else split_values(record[index], separator)
