"""Counts each part's rows and clicks, and the missing numbers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from features.schema import Schema
from training.kernels.columns import LABEL, NUMBERS, PART, matrix
from training.kernels.kernel import Kernel
from training.kernels.split import PARTS, Part


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Rows and clicks by part, and for each number the training rows in which it is missing."""

    rows: dict[Part, int]
    clicks: dict[Part, int]
    missing: tuple[int, ...]

    @classmethod
    def of(cls, table: pa.Table) -> "Tally":
        """The result of `kernel` over all rows."""
        found = {PARTS[row.pop(PART)]: row for row in table.to_pylist()}
        width = table.num_columns - 3
        train = [row for part, row in found.items() if part is not Part.HELD_OUT]
        return cls(
            rows={part: found[part]["rows"] if part in found else 0 for part in Part},
            clicks={part: found[part]["clicks"] if part in found else 0 for part in Part},
            missing=tuple(sum(row[_missing(index)] for row in train) for index in range(width)),
        )


def kernel(schema: Schema) -> Kernel:
    """Counts the divided rows of `schema`."""
    sums = ["rows", "clicks", *(_missing(index) for index in range(len(schema.numbers)))]
    return Kernel(
        columns=(LABEL, NUMBERS, PART),
        schema=pa.schema([(PART, pa.int8()), *((name, pa.int64()) for name in sums)]),
        function=partial(_count, width=len(schema.numbers)),
        by=(PART,),
        merged=dict.fromkeys(sums, "sum"),
    )


def _count(batches: Iterable[pa.RecordBatch], *, width: int) -> Iterator[pa.RecordBatch]:
    totals = np.zeros((len(PARTS), 2 + width), dtype=np.int64)
    for batch in batches:
        label, numbers, part = batch.columns
        parts = part.to_numpy()
        counted = np.column_stack([np.ones(len(parts)), label.to_numpy(), np.isnan(matrix(numbers, width))])
        for number in range(len(PARTS)):
            totals[number] += counted[parts == number].sum(axis=0).astype(np.int64)
    present = np.flatnonzero(totals[:, 0])
    columns = [pa.array(present.astype(np.int8)), *(pa.array(column) for column in totals[present].T)]
    names = [PART, "rows", "clicks", *(_missing(index) for index in range(width))]
    yield pa.RecordBatch.from_arrays(columns, names=names)


def _missing(index: int) -> str:
    return f"missing_{index}"
