"""How values read, of which only a column and a hash are known."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.hashing import hash_value, split_values
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
                    found[index, value] = self._shown(texts[int(row)].as_py()[index], index, value)
        rows = [{"column": index, "hash": value, "text": text} for (index, value), text in found.items()]
        yield pa.RecordBatch.from_pylist(rows, schema=_FOUND)

    def _shown(self, text: str, index: int, value: int) -> str:
        separator = self.schema.several.get(index)
        if separator is not None:
            text = next(one for one in split_values(text, separator) if hash_value(one) == value)
        return text[:SHOWN_LENGTH]
