"""Counts how often each category value was seen and clicked, by fold. Integers add up in any order."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class ValueCounts:
    """The distinct values of one column: `hash` int64[v] ascending, `rows` and `clicks` int64[v, folds] of each."""

    hash: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    clicks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many distinct values there are."""
        return len(self.hash)

    @cached_property
    def total_rows(self) -> npt.NDArray[np.int64]:
        """The rows of each value over all folds, int64[v]."""
        total: npt.NDArray[np.int64] = self.rows.sum(axis=1)
        return total

    @classmethod
    def merge(cls, tables: Iterable["ValueCounts"]) -> "ValueCounts":
        """The counts of one column over all `tables`, of which there is at least one."""
        parts = tuple(tables)
        if len(parts) == 1:
            return parts[0]
        hashes, place = np.unique(np.concatenate([part.hash for part in parts]), return_inverse=True)
        sums = {}
        for name in ("rows", "clicks"):
            counted = np.concatenate([getattr(part, name) for part in parts])
            sums[name] = np.zeros((len(hashes), counted.shape[1]), dtype=np.int64)
            np.add.at(sums[name], place, counted)
        return cls(hash=hashes, **sums)


def count(
    hashes: npt.NDArray[np.int64], clicked: npt.NDArray[np.bool_], folds: npt.NDArray[np.int32], *, number: int
) -> ValueCounts:
    """Count n values by their hashes, int64[n], their rows' labels, bool[n], and folds, int32[n] below `number`."""
    values = pa.array(hashes).dictionary_encode()  # a fifth of the time that sorting all of them takes
    distinct = values.dictionary.to_numpy()
    order = np.argsort(distinct)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    cell = place[values.indices.to_numpy()] * number + folds
    size, shape = len(order) * number, (len(order), number)
    return ValueCounts(
        hash=distinct[order],
        rows=np.bincount(cell, minlength=size).reshape(shape),
        clicks=np.bincount(cell[clicked], minlength=size).reshape(shape),
    )
