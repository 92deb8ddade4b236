"""Count tables in memory: each column's values with their rows and clicks per fold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from features.counts import ARROW_SCHEMA
from features.hashing import MISSING_HASH
from training.kernels.count import ValueCounts
from training.kernels.encode import FrequentValues

Counts = npt.NDArray[np.int64]
GROUP_ROWS = 1 << 20
"""Rows per row group of the file, so that writing needs a bounded amount of memory."""


@dataclass(frozen=True, kw_only=True)
class LocalCounts:
    """A table for each categorical column, in the schema's order."""

    columns: Sequence[ValueCounts]
    folds: int

    def values_by_rows(self, most: int) -> Counts:
        """See `training.protocols.CountTable`."""
        counted = [np.bincount(np.minimum(table.total_rows, most), minlength=most + 1) for table in self.columns]
        return np.reshape(counted, (len(self.columns), most + 1))

    def frequent(self, needed_rows: Counts) -> FrequentValues:
        """See `training.protocols.CountTable`."""
        kept = [table.total_rows >= needed for table, needed in zip(self.columns, needed_rows, strict=True)]
        pairs = list(zip(self.columns, kept, strict=True))
        empty = np.empty((0, self.folds), dtype=np.int64)
        return FrequentValues(
            column=np.repeat(np.arange(len(kept)), [int(own.sum()) for own in kept]).astype(np.int16),
            hash=np.concatenate([empty[:, 0], *(table.hash[own] for table, own in pairs)]),
            rows=np.concatenate([empty, *(table.rows[own] for table, own in pairs)]),
            clicks=np.concatenate([empty, *(table.clicks[own] for table, own in pairs)]),
            rare_rows=np.reshape([table.rows[~own].sum(axis=0) for table, own in pairs], (-1, self.folds)),
            rare_clicks=np.reshape([table.clicks[~own].sum(axis=0) for table, own in pairs], (-1, self.folds)),
        )

    def distinct(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        return int((self.columns[index].hash != MISSING_HASH).sum())

    def missing(self, index: int) -> int:
        """See `training.protocols.CountTable`."""
        table = self.columns[index]
        return int(table.total_rows[table.hash == MISSING_HASH].sum())

    def most_frequent(self, index: int, number: int) -> tuple[Counts, Counts]:
        """See `training.protocols.CountTable`."""
        table = self.columns[index]
        present = np.flatnonzero(table.hash != MISSING_HASH)
        most = present[np.argsort(-table.total_rows[present], kind="stable")[:number]]
        return table.hash[most], table.total_rows[most]

    def write(self, file: Path) -> None:
        """See `training.protocols.CountTable`."""
        write(file, self.columns)


def write(file: Path, columns: Iterable[ValueCounts]) -> None:
    """Write the tables of the schema's columns, in order, as `training.protocols.CountTable.write` says.

    Equal counts give equal bytes on every engine, because the bundle's hash covers them.
    """
    with parquet.ParquetWriter(file, ARROW_SCHEMA) as writer:
        waiting = ARROW_SCHEMA.empty_table()
        for index, counts in enumerate(columns):
            waiting = pa.concat_tables([waiting, _table(index, counts)])
            while len(waiting) >= GROUP_ROWS:
                writer.write_table(waiting.slice(0, GROUP_ROWS).combine_chunks())
                waiting = waiting.slice(GROUP_ROWS)
        writer.write_table(waiting.combine_chunks())


def _table(index: int, counts: ValueCounts) -> pa.Table:
    column = np.full(len(counts), index, dtype=np.int16)
    arrays = [column, counts.hash, counts.total_rows, counts.clicks.sum(axis=1)]
    return pa.Table.from_arrays([pa.array(values) for values in arrays], schema=ARROW_SCHEMA)
