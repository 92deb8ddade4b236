"""Count tables in memory: each column's values with their rows and clicks per fold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
