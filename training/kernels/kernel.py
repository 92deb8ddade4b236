"""Kernels: functions of batches that an engine runs over rows, with how to merge the results of several runs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

Function = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""Processes batches of rows. It must be picklable, since it is sent to other processes."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A function of batches that have the `columns`, which gives batches of the `schema`.

    If several runs share the rows, results with the same values in the columns `by` become one, in which all other
    columns are added up. Without `by`, all of them are kept.
    """

    columns: tuple[str, ...]
    schema: pa.Schema
    function: Function
    by: tuple[str, ...] = ()

    @property
    def summed(self) -> list[str]:
        """The columns that are added up."""
        return [name for name in self.schema.names if name not in self.by]

    def merge(self, table: pa.Table) -> pa.Table:
        """The result of one run over all rows, from the concatenated results of several, in any order."""
        if not self.by:
            return table
        sums = [(name, "sum") for name in self.summed]
        grouped = table.group_by(list(self.by), use_threads=False).aggregate(sums)
        names = [name.removesuffix("_sum") for name in grouped.column_names]
        return grouped.rename_columns(names).select(self.schema.names)
