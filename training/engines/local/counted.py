"""The values of every column with their rows and clicks by fold, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from features.hashing import MISSING_HASH
from training.kernels.count import ValueCounts
from training.kernels.encode import FrequentValues

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LocalCounts:
    """A table for each categorical column, in the schema's order."""

    columns: Sequence[ValueCounts]
    folds: int

    def values_by_rows(self, most: int) -> Counts:
        """See `training.engine.CountTable`."""
        counted = [np.bincount(np.minimum(table.total_rows, most), minlength=most + 1) for table in self.columns]
        return np.reshape(counted, (len(self.columns), most + 1))

    def frequent(self, needed_rows: Counts) -> FrequentValues:
        """See `training.engine.CountTable`."""
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
        """See `training.engine.CountTable`."""
        return int((self.columns[index].hash != MISSING_HASH).sum())

    def missing(self, index: int) -> int:
        """See `training.engine.CountTable`."""
        table = self.columns[index]
        return int(table.total_rows[table.hash == MISSING_HASH].sum())

    def most_frequent(self, index: int, number: int) -> tuple[Counts, Counts]:
        """See `training.engine.CountTable`."""
        table = self.columns[index]
        present = np.flatnonzero(table.hash != MISSING_HASH)
        most = present[np.argsort(-table.total_rows[present], kind="stable")[:number]]
        return table.hash[most], table.total_rows[most]

    def write(self, file: Path, _work: Path, *, by_fold: bool) -> None:
        """See `training.engine.CountTable`."""
        every = self.frequent(np.zeros(len(self.columns), dtype=np.int64))
        columns = {
            "column": every.column,
            "hash": every.hash,
            "rows": every.rows.sum(axis=1),
            "clicks": every.clicks.sum(axis=1),
        }
        if by_fold:
            columns |= {f"rows_{fold}": every.rows[:, fold] for fold in range(self.folds)}
            columns |= {f"clicks_{fold}": every.clicks[:, fold] for fold in range(self.folds)}
        arrays = {name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()}
        parquet.write_table(pa.table(arrays), file)

    @classmethod
    def read(cls, file: Path, *, columns: int, folds: int) -> "LocalCounts":
        """What `write` wrote by fold, of so many columns."""
        table = parquet.read_table(file)
        column, hashes = (table.column(name).to_numpy() for name in ("column", "hash"))
        rows, clicks = (
            np.column_stack([table.column(f"{kind}_{fold}").to_numpy() for fold in range(folds)])
            for kind in ("rows", "clicks")
        )
        ends = np.searchsorted(column, np.arange(columns + 1))
        parts = [slice(start, end) for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
        return cls(
            columns=[ValueCounts(hash=hashes[part], rows=rows[part], clicks=clicks[part]) for part in parts],
            folds=folds,
        )

    def plus(self, others: Sequence[Self], _folder: Path) -> Self:
        """See `training.engine.CountTable`."""
        by_column = zip(self.columns, *(table.columns for table in others), strict=True)
        return replace(self, columns=[ValueCounts.merge(parts) for parts in by_column])
