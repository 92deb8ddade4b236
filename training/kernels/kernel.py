"""Kernels: functions of batches that an engine runs over rows, with how to merge the results of several runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Function = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""Processes batches of rows. It must be picklable, since it is sent to other processes."""
Merge = Literal["sum", "min", "max"]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A function of batches that have the `columns`, which gives batches of the `schema`.

    If several runs share the rows, results with the same values in the columns `by` become one: each other
    column is `merged` in its way. Without `by`, all of them are kept.
    """

    columns: tuple[str, ...]
    schema: pa.Schema
    function: Function
    by: tuple[str, ...] = ()
    merged: Mapping[str, Merge] = field(default_factory=dict)

    def merge(self, table: pa.Table) -> pa.Table:
        """The result of one run over all rows, from the concatenated results of several, in any order."""
        if not self.by:
            return table
        grouped = table.group_by(list(self.by), use_threads=False).aggregate(list(self.merged.items()))
        names = {f"{name}_{how}": name for name, how in self.merged.items()}
        return grouped.rename_columns([names.get(name, name) for name in grouped.column_names]).select(
            self.schema.names
        )
