"""Prepared rows in memory, as every engine makes them from files, for tests of what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from features.schema import Schema
from training.kernels.columns import PART
from training.kernels.hashed import Fields, hashed
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS, Part

Record = Mapping[Any, Any]


def prepared(records: Sequence[Record], schema: Schema, *, label: Sequence[int] | None = None) -> pa.RecordBatch:
    """The records as a run prepares them, every second one clicked unless `label` says otherwise."""
    rows = len(records)
    fields = Fields(
        label=np.array(label if label is not None else [index % 2 for index in range(rows)], dtype=np.int8),
        numeric=[np.array([record[name] for record in records], dtype=np.float64) for name in schema.numeric],
        categorical=[pa.array([record[name] or "" for record in records], pa.string()) for name in schema.categorical],
    )
    return hashed(fields, schema)


def with_columns(batch: pa.RecordBatch, **columns: Any) -> pa.RecordBatch:
    """The batch with columns added or replaced."""
    names = [name for name in batch.schema.names if name not in columns]
    arrays = [*(batch.column(name) for name in names), *(pa.array(values) for values in columns.values())]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, *columns])


@dataclass(frozen=True)
class MemoryRows:
    """Rows in batches, each of which a process of its own would look at; as much of `training.protocols.Rows` as that
    needs."""

    batches: tuple[pa.RecordBatch, ...]

    def part(self, *parts: Part) -> "MemoryRows":
        """The divided rows of these parts."""
        numbers = pa.array([PARTS.index(part) for part in parts], pa.int8())
        return MemoryRows(tuple(batch.filter(pa.compute.is_in(batch.column(PART), numbers)) for batch in self.batches))

    def scan(self, kernel: Kernel) -> pa.Table:
        """What the kernel gives over all rows."""
        found = [part for batch in self.batches for part in kernel.function([batch.select(list(kernel.columns))])]
        return kernel.merge(pa.Table.from_batches(found, kernel.schema))
